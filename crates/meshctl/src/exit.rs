//! The exit status of the process.

/// Exit status of every command; those of `ca verify` are openssl's, and one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or all good.
    Good = 0,
    /// Could not run: bad input, unreadable files, a cluster that cannot be reached.
    Failed = 1,
    /// A check failed: a certificate is invalid, a renewal is due.
    No = 2,
    /// `ca verify` only: a signature uses an algorithm that is not built in.
    Undecided = 3,
    /// Wrong usage.
    Usage = 64,
}
