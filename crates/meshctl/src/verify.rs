//! `meshctl ca verify`: a drop-in for `openssl verify`.

use std::ffi::OsString;

use crate::Io;

/// Runs `ca verify` with the arguments behind it; answers as `openssl verify` does.
pub fn run(_args: &[OsString], _io: &mut Io<'_>) -> u8 {
    2
}
