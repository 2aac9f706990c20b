//! A cluster in memory, without Istio yet, gets its secret; a second run finds nothing to do.
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use meshapply::next::Action;
use meshapply::proof::Proof;
use meshapply::state::{Desired, Live, Observed};
use meshapply::{Cluster, Error, Patience, converge};
use meshpki::cacerts::{Layout, Secret};
use meshpki::{
    CaCerts, Issuer, KeyType, Profile, Serial, Signer, SoftKey, Stamp, Time, issue, self_signed,
};

/// The secret of a cluster that nothing else is in.
struct Memory(RefCell<Option<Live>>);

impl Cluster for Memory {
    async fn observe(&self) -> Result<Observed, Error> {
        Ok(Observed {
            secret: self.0.borrow().clone(),
            vacant: None,
            previous: None,
            has_previous: false,
            istiod: vec![],
            gateways: vec![],
            workloads: vec![],
        })
    }

    async fn act(&self, action: &Action, desired: &Desired) -> Result<(), Error> {
        assert!(matches!(action, Action::WriteSecret { over: None }), "{action:?}");
        let mark = Some(meshapply::state::mark(&desired.secret, None));
        *self.0.borrow_mut() = Some(Live {
            files: desired.secret.clone(),
            resource_version: "1".to_owned(),
            foreign: vec![],
            claim: mark.clone(),
            mark,
            restart: BTreeSet::new(),
            immutable: false,
            has_copy: false,
            written: None,
            type_: "Opaque".to_owned(),
        });
        Ok(())
    }

    async fn prove(&self, _: &Desired) -> Result<Proof, Error> {
        Err(Error::Unreachable { what: "istiod".to_owned(), message: "not installed".to_owned() })
    }
}

/// The files of a cluster's CA.
fn files() -> Result<Secret, meshpki::Error> {
    let now = Time(1_795_244_400);
    let stamp = || Stamp::made_at(now, Serial::generate());
    let root_key = SoftKey::generate(KeyType::EcdsaP256)?;
    let root = self_signed(&Profile::root("CN=Root".parse()?), &root_key, stamp())?;
    let key = SoftKey::generate(KeyType::EcdsaP256)?;
    let issuer = Issuer { cert: &root, signer: &root_key };
    let profile = Profile::cluster("CN=Mesh CA east".parse()?);
    let ca = issue(&profile, key.public_key(), issuer, stamp())?;
    let set = CaCerts::new(ca, key, vec![], vec![root], now)?;
    Ok(set.files(Layout::Istio).into_iter().map(|(file, text)| (file, text.to_vec())).collect())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let desired = Desired {
        secret: files()?,
        basis: None,
        adopt: false,
        restart: BTreeSet::new(),
        workloads: false,
        batch: 1,
        reload_seconds: 0,
        before_install: true,
    };
    let patience = Patience { step: Duration::from_secs(5), poll: Duration::from_millis(10) };
    let cluster = Memory(RefCell::new(None));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let run =
        || runtime.block_on(converge(&cluster, &desired, patience, |event| println!("{event:?}")));
    let first = run()?;
    assert_eq!(first.actions, [Action::WriteSecret { over: None }]);
    let second = run()?;
    println!("the second run wrote {} things", second.actions.len());
    assert!(second.actions.is_empty());
    Ok(())
}
