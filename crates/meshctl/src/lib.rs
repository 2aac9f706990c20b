//! `meshctl`: CA certificates for Istio on many clusters. Effects live here: files and the terminal.

pub mod io;
pub mod verify;

use std::ffi::OsString;

pub use io::Io;

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

/// Runs one command line (without the program's name) and returns its exit status.
pub fn run(args: &[OsString], io: &mut Io<'_>) -> u8 {
    match args {
        [ca, verify, rest @ ..] if ca == "ca" && verify == "verify" => verify::run(rest, io),
        _ => 64,
    }
}
