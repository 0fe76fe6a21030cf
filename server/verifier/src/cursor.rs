//! How far the changes of the tenant are read.

use std::{fmt, str::FromStr};

/// A cursor of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The server that read the changes.
    server: u32,
    /// How often that server had to begin anew. Numbers may be used again then.
    run: u32,
    tenant: i64,
    catalogue: i64,
}

impl Cursor {
    /// Whether everything that `other` includes is included. The numbers are the database's, so they can be compared
    /// between its servers, but not with an earlier run of the same server.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        let is_of_another_run = self.server == other.server && self.run != other.run;
        !is_of_another_run && self.tenant >= other.tenant && self.catalogue >= other.catalogue
    }

    /// Whether both are of one run of one server. Two servers may disagree about the numbers for a moment, after changes
    /// were lost in a failover.
    pub(crate) fn is_of_same_run(&self, other: &Self) -> bool {
        (self.server, self.run) == (other.server, other.run)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{}-{}", self.server, self.run, self.tenant, self.catalogue)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let mut part = || parts.next().ok_or(());
        let server = u32::from_str_radix(part()?, 16).map_err(|_| ())?;
        let run = part()?.parse().map_err(|_| ())?;
        let tenant = part()?.parse().map_err(|_| ())?;
        let catalogue = part()?.parse().map_err(|_| ())?;
        if parts.next().is_some() { Err(()) } else { Ok(Self { server, run, tenant, catalogue }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(text: &str) -> Cursor {
        text.parse().unwrap()
    }

    #[test]
    fn servers_of_a_database_can_be_compared_and_runs_of_a_server_can_not() {
        let one = cursor("0000000a-1-5-2");
        assert_eq!(one.to_string(), "0000000a-1-5-2");
        for (other, is_included) in [
            ("0000000a-1-5-2", true),
            ("0000000b-7-5-1", true),
            ("0000000a-1-6-2", false),
            ("0000000a-1-5-3", false),
            ("0000000a-2-5-2", false),
            ("0000000a-2-1-1", false),
        ] {
            assert_eq!(one.includes(&cursor(other)), is_included, "{other}");
        }
        assert!(one.is_of_same_run(&cursor("0000000a-1-9-0")));
        assert!(!one.is_of_same_run(&cursor("0000000b-1-5-2")) && !one.is_of_same_run(&cursor("0000000a-2-5-2")));
        assert!("0000000a-1-5".parse::<Cursor>().is_err());
    }
}
