//! `meshctl ca csr`: a key and a certificate signing request, made where the key is to stay.

mod issuing;

use std::path::Path;

use meshpki::cfssl::CsrRequest;
use meshpki::x509::GeneralName;
use meshpki::{Csr, KeyType, Name, Role, SoftKey};

use crate::args::CsrArgs;
use crate::authority::keys::{BY_OPTION, generate, warn_unproven};
use crate::authority::{
    cfssl, check_case, check_cluster_name, intermediate, key_words, neighbours, open_workspace,
    warn_exposed,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::Workspace;
use crate::io::Io;
use crate::text::{self, safe};

/// Runs the command.
pub(crate) fn run(args: &CsrArgs, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let place = match (&args.dir, &args.cluster, &args.signer, &args.out) {
        (Some(dir), Some(cluster), ..) => Place { dir, cluster },
        (.., Some(signer), Some(out)) => return issuing::run(args, signer, out, io),
        _ => {
            return Err(Failure::usage(
                "neither a folder with `--cluster`, nor `--signer` with `--out`",
            ));
        }
    };
    check_cluster_name(place.cluster)?;
    let request = Request::new(args, place.cluster, io)?;
    let mut workspace = open_workspace(place.dir, args.wait.resolved(), io)?;
    warn_exposed(place.dir, io);
    check_case(place.dir, std::slice::from_ref(place.cluster))?;
    let csr = make(&place, &request, &mut workspace, io)?;
    workspace.finish()?;
    report(&place, &csr, io)
}

/// The cluster's folder.
struct Place<'a> {
    dir: &'a Path,
    cluster: &'a String,
}

/// What is asked for.
enum Request {
    Ours { key_type: KeyType, subject: Name, names: Vec<GeneralName> },
    Cfssl { key_type: KeyType, request: CsrRequest },
}

impl Request {
    fn new(args: &CsrArgs, cluster: &str, io: &mut Io<'_>) -> Result<Self, Failure> {
        if let Some(path) = &args.cfssl_csr {
            let file = cfssl::csr_file(path, io)?;
            let request = cfssl::take(file.request(), path, io)?;
            return Ok(Self::Cfssl { key_type: file.key_type(), request });
        }
        Ok(Self::Ours {
            key_type: args.key_type,
            subject: intermediate::subject(&args.subject, cluster)?,
            names: intermediate::names(&args.san, cluster)?,
        })
    }

    const fn key_type(&self) -> KeyType {
        match self {
            Self::Ours { key_type, .. } | Self::Cfssl { key_type, .. } => *key_type,
        }
    }

    fn create(&self, key: &SoftKey) -> Result<Csr, Failure> {
        Ok(match self {
            Self::Ours { subject, names, .. } => {
                Csr::create(subject, names, Role::Ca { path_len: Some(0) }, key)?
            }
            Self::Cfssl { request, .. } => request.create(key)?,
        })
    }
}

fn make(
    place: &Place<'_>,
    request: &Request,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<Csr, Failure> {
    let folder = place.dir.join(place.cluster);
    if folder.exists() {
        return Err(Failure::new(
            "ctl/exists",
            format!("`{}` already exists and is not overwritten", folder.display()),
        )
        .hint("choose another `--cluster`, or move that folder away first"));
    }
    neighbours::warn_of_confusable(place.dir, &[place.cluster], io);
    warn_unproven(request.key_type(), &format!("`{}`", place.cluster), BY_OPTION, io);
    let key = generate(request.key_type(), 1, io)?.remove(0);
    let csr = request.create(&key)?;
    let name = Path::new(place.cluster);
    workspace.stage(&name.join("ca-key.pem"), key.to_pem().as_bytes(), true)?;
    workspace.stage(&name.join("ca.csr"), csr.to_pem().as_bytes(), false)?;
    workspace.sync()?;
    workspace.place(name)?;
    Ok(csr)
}

fn report(place: &Place<'_>, csr: &Csr, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let folder = place.dir.join(place.cluster);
    let shown = safe(&folder.display().to_string());
    let text = format!(
        "{0}/ca-key.pem  created, stays here\n{0}/ca.csr      created, {1}, {2}\n",
        shown,
        csr.subject(),
        key_words(csr.public_key()),
    );
    io.print(&text)?;
    io.note(format_args!("\nnext: where the root key is, `meshctl ca sign {0}/ca.csr --ca DIR --out {0}`; copy the three certificate files back here",
        text::word(&folder)));
    Ok(Exit::Good)
}
