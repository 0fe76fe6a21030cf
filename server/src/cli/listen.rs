//! The address that a server listens on, a setting of `serve` and of `health`.

use std::net::SocketAddr;

use clap::Args;

#[derive(Args, Debug)]
pub(super) struct Listen {
    /// Address that the server listens on
    #[arg(
        long = "listen",
        env = "LATCHKEY_LISTEN",
        default_value = "127.0.0.1:3000",
        value_name = "LISTEN",
        help_heading = "Network"
    )]
    pub(super) address: SocketAddr,
}
