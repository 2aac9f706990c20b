//! The exit status of the process.

/// Exit status of every command but `ca verify`, which answers as openssl does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or all good.
    Good = 0,
    /// It could not be asked: input, files, a cluster out of reach.
    Failed = 1,
    /// The answer is no: a certificate failed, a renewal is due.
    No = 2,
    /// Wrong usage.
    Usage = 64,
}
