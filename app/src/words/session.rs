//! What the server and the script both say to someone whose session has ended.

words! {
    session_ended = "Your session ended. Sign in to continue.";
}
