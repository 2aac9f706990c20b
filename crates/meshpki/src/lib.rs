#![no_std]
#![doc = "placeholder"]

extern crate alloc;

pub mod cert;
pub mod crl;
pub mod der;
pub mod digest;
pub mod key;
pub mod name;
pub mod oid;
pub mod pem;
pub mod signature;
pub mod time;
pub mod verify;

pub use cert::Cert;
pub use key::{KeyAlgorithm, PublicKey, SignError, Signer};
pub use name::{Name, NameError};
pub use time::Time;

#[cfg(feature = "soft-keys")]
pub mod soft {
    //! Private keys in memory.
    /// Fills `bytes` with randomness of the operating system.
    pub fn fill_random(bytes: &mut [u8]) {
        use ring::rand::SecureRandom;
        ring::rand::SystemRandom::new()
            .fill(bytes)
            .expect("the operating system gives random bytes");
    }
}
