//! `--root-signer pkcs11:...`: a key on a token, through the module that the URI names (RFC 7512).

mod public;

use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use meshpki::{PublicKey, SignError, Signer};
use zeroize::Zeroizing;

use super::scheme::Scheme;
use super::uri::TokenUri;
use super::{no_scheme, refused};
use crate::authority::passphrase::{self, PassphraseSource};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::terminal::secret;
use crate::text::label;

/// More keys than this are not listed.
const MOST_KEYS: usize = 10;

/// A key on a token, in a session that is logged in.
pub(super) struct TokenKey {
    /// Closed before its module ends, which logs out.
    session: Session,
    _module: Module,
    key: ObjectHandle,
    public: PublicKey,
    scheme: Scheme,
    /// The token's label.
    token: String,
}

/// Finds the token, logs in, and finds the key.
///
/// # Errors
/// `ctl/signer`, `ctl/signer-token`, `ctl/signer-pin`, `ctl/signer-key`, `ctl/usage`.
pub(super) fn open(
    uri: TokenUri,
    pin_env: Option<&str>,
    io: &mut Io<'_>,
) -> Result<TokenKey, Failure> {
    let Some(path) = &uri.module_path else {
        return Err(Failure::usage("`pkcs11:...` does not say which module to load")
            .hint("add `?module-path=FILE`: the shared library of the token's vendor, such as /usr/lib/softhsm/libsofthsm2.so"));
    };
    let module = load(path)?;
    let (slot, info) = token(&module.0, &uri)?;
    let token = info.label().to_owned();
    let failed = |error: Error| broken(&token, &error);
    let session = module.0.open_ro_session(slot).map_err(failed)?;
    if info.login_required() {
        login(&session, &info, &uri, pin_env, io)
            .map_err(|wrong| wrong.explained(&module.0, slot, &token))?;
    }
    let key = private_key(&session, &uri, &token)?;
    let public = public::of(&session, key, &token)?;
    let scheme = Scheme::of(&public).ok_or_else(|| no_scheme(&public).within(place(&token)))?;
    Ok(TokenKey { session, _module: module, key, public, scheme, token })
}

/// A module that was initialized; threads of its may run until it is finalized.
struct Module(Pkcs11);

impl Drop for Module {
    fn drop(&mut self) {
        // A module that cannot end ends with the process.
        let _ = self.0.clone().finalize();
    }
}

impl TokenKey {
    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let mechanism = match self.scheme {
            Scheme::Ecdsa(..) => Mechanism::Ecdsa,
            Scheme::Rsa(_) => Mechanism::RsaPkcs,
            Scheme::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
        };
        let input = self.scheme.input(message);
        let given = self.session.sign(&mechanism, self.key, &input).map_err(|error| {
            let failure = broken(&self.token, &error);
            match error {
                Error::Pkcs11(RvError::UserNotLoggedIn, _) => failure
                    .because("the key requires its PIN for every signature (CKA_ALWAYS_AUTHENTICATE), which meshctl does not do"),
                Error::Pkcs11(RvError::KeyFunctionNotPermitted, _) => {
                    failure.because("the key is not allowed to sign (CKA_SIGN)")
                }
                Error::Pkcs11(RvError::MechanismInvalid, _) => {
                    failure.because(format!("the token cannot sign with {}", self.scheme.name()))
                }
                _ => failure,
            }
        })?;
        self.scheme.accepted(&self.public, message, &given).ok_or_else(|| {
            let what = format!("the token `{}` returned a wrong signature", label(&self.token));
            Failure::new("ctl/signer-answer", what)
                .because(format!("it does not verify with its public key, sha256 {}", self.public.fingerprint()))
                .hint("the public and the private key with this id may not belong together; nothing was written")
        })
    }
}

impl Signer for TokenKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signature(message).map_err(refused)
    }
}

fn load(path: &Path) -> Result<Module, Failure> {
    let refuse = |what: &str, error: &Error| {
        Failure::new("ctl/signer", what).in_file(path).because(said(error))
    };
    let module = Pkcs11::new(path).map_err(|error| {
        refuse("the PKCS#11 module cannot be loaded", &error)
            .hint("`module-path` is the absolute path of the shared library that the token's vendor installs")
    })?;
    let start = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    module.initialize(start).map_err(|error| {
        refuse("the PKCS#11 module does not start", &error)
            .hint("correct the module's configuration, such as the file that SOFTHSM2_CONF or KRYOPTIC_CONF names, and run this command again")
    })?;
    Ok(Module(module))
}

/// The tokens that can be read, by label and serial number. A reader may have another card in it, which this module
/// cannot read.
fn tokens(module: &Pkcs11) -> Result<Vec<(Slot, TokenInfo)>, Failure> {
    let slots = module.get_slots_with_token().map_err(|error| broken("", &error))?;
    let (mut all, mut unreadable) = (Vec::new(), None);
    for slot in slots {
        match module.get_token_info(slot) {
            Ok(info) if info.token_initialized() => all.push((slot, info)),
            Ok(_) => {}
            Err(error) => unreadable = Some(error),
        }
    }
    if let Some(error) = unreadable.filter(|_| all.is_empty()) {
        return Err(broken("", &error));
    }
    all.sort_by(|(_, a), (_, b)| {
        (a.label(), a.serial_number()).cmp(&(b.label(), b.serial_number()))
    });
    Ok(all)
}

/// The one token that the URI describes.
fn token(module: &Pkcs11, uri: &TokenUri) -> Result<(Slot, TokenInfo), Failure> {
    let all = tokens(module)?;
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
    let matches = |(slot, info): &&(Slot, TokenInfo)| {
        is(&uri.token, info.label())
            && is(&uri.manufacturer, info.manufacturer_id())
            && is(&uri.model, info.model())
            && is(&uri.serial, info.serial_number())
            && uri.slot_id.is_none_or(|id| id == slot.id())
    };
    let found: Vec<_> = all.iter().filter(matches).cloned().collect();
    let listed = |failure: Failure, tokens: &[(Slot, TokenInfo)]| {
        tokens.iter().fold(failure, |failure, (slot, info)| {
            failure.because(format!(
                "there is `{}`, serial {}, slot-id {}",
                label(info.label()),
                label(info.serial_number()),
                slot.id()
            ))
        })
    };
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] if all.is_empty() => {
            Err(Failure::new("ctl/signer-token", "the module has no token").hint(
                "insert the token, start what the module connects to, or correct the module's configuration, and run this command again",
            ))
        }
        [] => Err(listed(Failure::new("ctl/signer-token", "no token matches the URI"), &all)
            .hint("correct `token`, `serial` or `slot-id` in the URI")),
        many => Err(listed(Failure::new("ctl/signer-token", "several tokens match the URI"), many)
            .hint("add `serial` or `slot-id` to the URI")),
    }
}

/// Why there was no login.
enum NoLogin {
    /// Said already.
    Told(Failure),
    /// What the token said.
    Refused(Error),
}

impl NoLogin {
    fn explained(self, module: &Pkcs11, slot: Slot, token: &str) -> Failure {
        let error = match self {
            Self::Told(failure) => return failure,
            Self::Refused(error) => error,
        };
        let after = module.get_token_info(slot).ok();
        match error {
            Error::Pkcs11(RvError::PinLocked, _) => locked(token),
            Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid,
                _,
            ) => {
                if after.as_ref().is_some_and(TokenInfo::user_pin_locked) {
                    return locked(token).because("this was the last try");
                }
                let left = match &after {
                    Some(info) if info.user_pin_final_try() => {
                        "one try is left; after another wrong PIN, the token locks it"
                    }
                    Some(info) if info.user_pin_count_low() => {
                        "the token counts wrong PINs, and does not say how many tries are left"
                    }
                    _ => "the token does not say how many tries are left",
                };
                let hint = match &after {
                    Some(info) if info.protected_authentication_path() => {
                        "run the same command again, and type the right PIN on the token's keypad"
                    }
                    _ => {
                        "correct the PIN where it comes from: the file of `pin-source`, the variable of `--pin-env`; without both, it is asked for"
                    }
                };
                Failure::new(
                    "ctl/signer-pin",
                    format!("wrong PIN for the token `{}`", label(token)),
                )
                .because(left)
                .hint(hint)
            }
            error => broken(token, &error),
        }
    }
}

fn locked(token: &str) -> Failure {
    Failure::new("ctl/signer-pin", format!("the PIN of the token `{}` is locked", label(token)))
        .hint("ask the token's security officer to set a new PIN with the vendor's tool")
}

/// Logs in, once: a second wrong PIN might lock the token.
fn login(
    session: &Session,
    info: &TokenInfo,
    uri: &TokenUri,
    pin_env: Option<&str>,
    io: &mut Io<'_>,
) -> Result<(), NoLogin> {
    let name = info.label();
    if info.user_pin_locked() {
        return Err(NoLogin::Told(locked(name)));
    }
    if info.user_pin_final_try() {
        let warning = format!("one try is left for the PIN of the token `{}`", label(name));
        io.warn(&Failure::new("ctl/signer-pin", warning));
    }
    let pin = if info.protected_authentication_path() {
        // The token asks by itself, silently.
        io.say(format_args!("type the PIN of the token `{}` on its keypad", label(name)));
        None
    } else {
        Some(pin(name, uri, pin_env, io).map_err(NoLogin::Told)?)
    };
    // In a box of its own size, which is zeroized.
    let pin = pin.map(|pin| AuthPin::new(Box::from(pin.as_str())));
    match session.login(UserType::User, pin.as_ref()) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => Err(NoLogin::Refused(error)),
    }
}

/// The PIN: from the environment, from a file, or from the terminal.
fn pin(
    token: &str,
    uri: &TokenUri,
    pin_env: Option<&str>,
    io: &mut Io<'_>,
) -> Result<Zeroizing<String>, Failure> {
    let source = PassphraseSource {
        file: uri.pin_source.clone().filter(|_| pin_env.is_none()),
        env: pin_env.map(str::to_owned),
    };
    if let Some(pin) = passphrase::given(&source, "PIN", io)? {
        return Ok(pin);
    }
    if !io.can_ask {
        let what = format!(
            "the token `{}` needs a PIN, but there is no terminal to ask for one",
            label(token)
        );
        return Err(Failure::new("ctl/signer-pin", what)
            .because("standard input or standard error is not a terminal")
            .hint("add `pin-source=file:PATH` to the URI, or `--pin-env VARIABLE`")
            .exit(Exit::Usage));
    }
    let pin = secret("PIN", &format!("PIN of the token `{}`: ", label(token)))?;
    if pin.is_empty() {
        // The token would count it as a wrong one.
        return Err(Failure::new("ctl/signer-pin", "the PIN is empty")
            .because(format!("the token `{}` was not asked, and counts no try", label(token)))
            .hint("run the same command again"));
    }
    Ok(pin)
}

/// The one private key that the URI describes.
fn private_key(session: &Session, uri: &TokenUri, token: &str) -> Result<ObjectHandle, Failure> {
    let class = Attribute::Class(ObjectClass::PRIVATE_KEY);
    let mut template = vec![class.clone()];
    template.extend(uri.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
    template.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));
    let find = |template: &[Attribute]| {
        session.find_objects(template).map_err(|error| broken(token, &error))
    };
    let found = find(&template)?;
    let (what, listed, hint) = match found.as_slice() {
        [one] => return Ok(*one),
        [] => ("no key matches the URI", find(&[class])?, "correct `object` or `id` in the URI"),
        _ => ("several keys match the URI", found, "add `id` or `object` to the URI"),
    };
    let failure = Failure::new("ctl/signer-key", what).within(place(token)).hint(match listed.as_slice() {
        [] => "the token has no private key that this PIN can use; create one with the vendor's tool",
        _ => hint,
    });
    let mut names: Vec<String> = listed.iter().map(|key| key_name(session, *key)).collect();
    names.sort();
    let failure = names
        .iter()
        .take(MOST_KEYS)
        .fold(failure, |failure, name| failure.because(format!("there is `{name}`")));
    Err(match names.len().saturating_sub(MOST_KEYS) {
        0 => failure,
        more => failure.because(format!("and {more} more")),
    })
}

/// A token as a place.
fn place(token: &str) -> String {
    format!("token `{}`", label(token))
}

/// A key as a URI names it.
fn key_name(session: &Session, key: ObjectHandle) -> String {
    let wanted = [AttributeType::Label, AttributeType::Id];
    let mut uri = TokenUri::default();
    for attribute in session.get_attributes(key, &wanted).unwrap_or_default() {
        match attribute {
            Attribute::Label(name) if !name.is_empty() => {
                uri.object = Some(String::from_utf8_lossy(&name).into_owned());
            }
            Attribute::Id(id) if !id.is_empty() => uri.id = Some(id),
            _ => {}
        }
    }
    uri.name().replacen("pkcs11:", "", 1)
}

/// A call that did not succeed; an empty `token`: before one was chosen.
fn broken(token: &str, error: &Error) -> Failure {
    let is_gone = matches!(
        error,
        Error::Pkcs11(
            RvError::DeviceRemoved
                | RvError::TokenNotPresent
                | RvError::SessionHandleInvalid
                | RvError::TokenNotRecognized,
            _
        )
    );
    let (what, hint) = match (is_gone, token) {
        (_, "") => (
            "the PKCS#11 module failed".to_owned(),
            "check with the vendor's tool that the token works, then run this command again",
        ),
        (true, token) => (
            format!("the token `{}` is gone", label(token)),
            "nothing was written: insert it again and run the same command",
        ),
        (false, token) => (
            format!("the token `{}` failed", label(token)),
            "nothing was written; check with the vendor's tool that the token works, then run this command again",
        ),
    };
    Failure::new("ctl/signer-token", what).because(said(error)).hint(hint)
}

/// What a module said, in a few words.
fn said(error: &Error) -> String {
    match error {
        Error::Pkcs11(value, function) => format!("C_{function:?} returned {value:?}"),
        Error::LibraryLoading(error) => error.to_string(),
        error => error.to_string(),
    }
}
