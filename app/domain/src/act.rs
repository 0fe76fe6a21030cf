//! The macro that writes a table of acts: one row for each act, so that none can be left out of a list.

/// Defines the acts on one kind of thing. Each row is
/// `Variant = "code" does Operation, "Label", "Title with the {name}", "Notice with the {name}";`, in the order in which menus
/// offer the acts.
macro_rules! acts {
    ($(#[$on_enum:meta])* $enum:ident {
        $($(#[$doc:meta])* $variant:ident = $code:literal does $operation:ident, $label:literal, $title:literal, $notice:literal;)+
    }) => {
        $(#[$on_enum])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $enum {
            $($(#[$doc])* $variant,)+
        }

        impl $enum {
            /// All acts, in the order menus offer them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the code: the last segment of the act's URL path.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// Returns the act with the given code.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|act| act.code() == code)
            }

            /// Returns the operation that performs the act.
            pub fn operation(self) -> $crate::Operation {
                match self {
                    $(Self::$variant => $crate::Operation::$operation,)+
                }
            }

            /// Returns the act that an operation performs.
            pub fn of(operation: $crate::Operation) -> Option<Self> {
                Self::ALL.iter().copied().find(|act| act.operation() == operation)
            }

            /// Returns the label of the menu item and button.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }

            /// Returns the title of the page that asks for the act. `name` is the name of the thing acted on.
            pub fn title(self, name: &str) -> String {
                match self {
                    $(Self::$variant => format!($title, name = name),)+
                }
            }

            /// Returns the title as a question.
            pub fn question(self, name: &str) -> String {
                format!("{}?", self.title(name))
            }

            /// Returns the notice to show after a success. `name` is the name of the thing acted on.
            pub fn notice(self, name: &str) -> String {
                match self {
                    $(Self::$variant => format!($notice, name = name),)+
                }
            }
        }
    };
}

pub(crate) use acts;
