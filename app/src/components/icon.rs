//! The icons: strokes on a 16 px grid, in the color of the text around them. The button or link around an icon has the
//! label.

use leptos::prelude::*;

/// An icon, named by its shape; each variant's doc says what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// Delete, revoke, remove or end.
    Trash,
    /// API keys.
    Key,
    /// Service accounts.
    Robot,
    /// A person.
    Person,
    /// The API.
    Braces,
    /// The members of a tenant.
    People,
    /// The audit log.
    Log,
    /// Settings.
    Gear,
    /// All keys.
    Keys,
    /// Browser sessions.
    Screen,
    /// Create or invite.
    Plus,
    /// The menu of further actions.
    More,
    /// The button that searches.
    Search,
    /// The navigation, on small screens.
    Menu,
    /// Close or dismiss.
    Close,
    /// The selected entry of a menu.
    Check,
    /// A button that opens a menu to choose from.
    Choose,
    /// The overview of a tenant.
    Overview,
    /// The documentation.
    Book,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Trash => "M2.5 4h11M6 4V2.5h4V4M4 4l.6 9.5h6.8L12 4M6.6 6.5v4.5M9.4 6.5v4.5",
            Self::Key => "M10.2 9.2a3.6 3.6 0 1 0-3.4-3.4L2 10.6V14h3v-1.7h1.7v-1.7L8 9.4M11 5h.01",
            Self::Robot => "M3 6.5h10v7H3zM8 6.5V3.5M8 3.5h.01M6 9.5h.01M10 9.5h.01M6 11.6h4M1.5 9v2.5M14.5 9v2.5",
            Self::Person => {
                "M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8zM2.8 13.8c.6-2.6 2.7-3.8 5.2-3.8s4.600 1.200 5.200 3.800"
            }
            Self::Braces => {
                "M6 2.5c-2 0-2 1-2 2.500S3.500 8 2 8c1.500 0 2 1.500 2 3s0 2.500 2 2.500M10 2.5c2 0 2 1 2 2.500s.5 3 2 3c-1.500 0-2 1.500-2 3s0 2.500-2 2.500"
            }
            Self::More => {
                "M3 7.500a.5.5 0 1 0 0 1 .5.5 0 0 0 0-1zM8 7.500a.5.5 0 1 0 0 1 .5.5 0 0 0 0-1zM13 7.500a.5.5 0 1 0 0 1 .5.5 0 0 0 0-1z"
            }
            Self::People => {
                "M6 7.500a2.300 2.300 0 1 0 0-4.600 2.300 2.300 0 0 0 0 4.600zM1.800 13c.4-2.300 2.100-3.400 4.200-3.400s3.800 1.100 4.200 3.400M10.500 3.100a2.200 2.200 0 0 1 0 4.300M12 9.800c1.300.5 2.100 1.600 2.400 3.200"
            }
            Self::Log => "M3.500 2.500h9v11h-9zM6 5.500h4M6 8h4M6 10.500h2.500",
            Self::Gear => {
                "M8 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM8 9.300a1.300 1.300 0 1 0 0-2.600 1.300 1.300 0 0 0 0 2.600zM8 4V2M8 14v-2M4 8H2M14 8h-2M5.200 5.200 3.800 3.800M12.200 12.200l-1.400-1.400M5.200 10.800l-1.400 1.400M12.200 3.800l-1.400 1.400"
            }
            Self::Keys => {
                "M6 4.500a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM6 4.500h8v2M11 4.500V6M6 11.500a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM6 11.500h8v2M11 11.500V13"
            }
            Self::Screen => "M2 3h12v8H2zM6 13.500h4M8 11v2.500",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Search => "M7 11.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9zM10.500 10.500 14 14",
            Self::Menu => "M2.500 4.500h11M2.500 8h11M2.500 11.500h11",
            Self::Close => "M4 4l8 8M12 4l-8 8",
            Self::Check => "M3 8.500 6.500 12 13 4.500",
            Self::Choose => "M5 6l3-3 3 3M5 10l3 3 3-3",
            Self::Overview => {
                "M2.500 2.500h4.500V7H2.500zM9 2.500h4.500V7H9zM2.500 9h4.500v4.500H2.500zM9 9h4.500v4.500H9z"
            }
            Self::Book => {
                "M8 4C6.500 2.800 4.500 2.500 2 2.500v10c2.500 0 4.500.300 6 1.500 1.500-1.200 3.500-1.500 6-1.500v-10c-2.500 0-4.500.300-6 1.500zM8 4v10"
            }
        }
    }
}

/// The icon as SVG, hidden from screen readers: its meaning has to be in a text or an `aria-label` next to it.
#[component]
pub fn Picture(icon: Icon) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            <path d=icon.path() />
        </svg>
    }
}

/// The mark of the product, the same drawing as the favicon, in the accent color.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 16 16" width="20" height="20" aria-hidden="true" focusable="false">
            <rect width="16" height="16" rx="4" />
            <circle cx="10" cy="6" r="2.6" />
            <path d="M8 8 3.8 12.2M5.2 10.8l1.4 1.4" />
        </svg>
    }
}
