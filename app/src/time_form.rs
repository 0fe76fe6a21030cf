//! The forms in which pages show times. The server names them in `data-as` and `data-date`; the script writes the time
//! in that form, as in the reader's region.

/// How a time is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// The date: "27 Feb 2027".
    Date,
    /// Day, month and time with seconds, in UTC.
    Short,
    /// Date, time and time zone.
    Exact,
    /// The date in UTC.
    Day,
    /// Day and month in UTC.
    ShortDay,
    /// Weekday and date in UTC.
    LongDay,
    /// Weekday and day of the month in UTC.
    Weekday,
    /// Date, time and time zone, in UTC.
    Hour,
    /// The time of day in UTC.
    Clock,
    /// The time of day with seconds and time zone: "12:04:31 UTC".
    Second,
    /// The distance from now: "in 90 days".
    Distance,
}

impl TimeForm {
    /// All forms.
    #[cfg(feature = "hydrate")]
    pub const ALL: [Self; 11] = [
        Self::Date,
        Self::Short,
        Self::Exact,
        Self::Day,
        Self::ShortDay,
        Self::LongDay,
        Self::Weekday,
        Self::Hour,
        Self::Clock,
        Self::Second,
        Self::Distance,
    ];

    /// The form's code in the attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Short => "short",
            Self::Exact => "exact",
            Self::Day => "day",
            Self::ShortDay => "short-day",
            Self::LongDay => "long-day",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
            Self::Clock => "clock",
            Self::Second => "second",
            Self::Distance => "distance",
        }
    }
}
