//! `meshctl ca csr`: a key and a certificate signing request, made where the key is to stay.

use std::path::Path;

use meshpki::profile::Role;
use meshpki::{Csr, KeyType, Name, cert::GeneralName};

use super::init::generate;
use super::{check_cluster_name, intermediate, warn_unproven};
use crate::args::CsrArgs;
use crate::files::Workspace;
use crate::report::{Failure, warn};
use crate::{Exit, Io};

/// Runs the command.
pub(crate) fn run(args: &CsrArgs, io: &mut Io<'_>) -> Result<Exit, Failure> {
    check_cluster_name(&args.cluster)?;
    let request = Request::new(args, io)?;
    let (mut workspace, leftovers) = Workspace::open(&args.dir)?;
    for place in leftovers {
        warn(
            io.err,
            &Failure::new(
                "ctl/leftovers",
                "an interrupted run left a set of files; it was kept aside",
            )
            .in_file(&place),
        );
    }
    match make(args, request, &mut workspace, io) {
        Ok(csr) => {
            workspace.finish()?;
            report(args, &csr, io)
        }
        Err(failure) => {
            workspace.abandon();
            Err(failure)
        }
    }
}

/// What is asked for.
struct Request {
    key_type: KeyType,
    subject: Name,
    names: Vec<GeneralName>,
    role: Role,
}

impl Request {
    fn new(args: &CsrArgs, _io: &mut Io<'_>) -> Result<Self, Failure> {
        Ok(Self {
            key_type: args.key_type,
            subject: intermediate::subject(&args.subject, &args.cluster)?,
            names: intermediate::names(&args.san, &args.cluster)?,
            role: Role::Ca { path_len: Some(0) },
        })
    }
}

fn make(
    args: &CsrArgs,
    request: Request,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<Csr, Failure> {
    let folder = args.dir.join(&args.cluster);
    if folder.exists() {
        return Err(Failure::new(
            "ctl/exists",
            format!("`{}` is there already and is not overwritten", folder.display()),
        )
        .hint(format!("choose another `--cluster`, or move `{}` away first", folder.display())));
    }
    warn_unproven(request.key_type, &format!("`{}`", args.cluster), io);
    let key = generate(request.key_type, 1, io)?.remove(0);
    let csr = Csr::create(&request.subject, &request.names, request.role, &key)?;
    let name = Path::new(&args.cluster);
    workspace.stage(&name.join("ca-key.pem"), key.to_pem().as_bytes(), true)?;
    workspace.stage(&name.join("ca.csr"), csr.to_pem().as_bytes(), false)?;
    workspace.sync()?;
    workspace.place(name)?;
    Ok(csr)
}

fn report(args: &CsrArgs, csr: &Csr, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let folder = args.dir.join(&args.cluster);
    let text = format!(
        "{0}/ca-key.pem  made, stays here\n{0}/ca.csr      made, {1}, {2}, key sha256 {3}\n",
        folder.display(),
        csr.subject(),
        csr.public_key().algorithm(),
        &csr.public_key().fingerprint()[..16],
    );
    let fail = |error| Failure::io("write to", Path::new("standard output"), &error);
    io.out.write_all(text.as_bytes()).map_err(fail)?;
    // A standard error that is gone cannot be told anything.
    let _ = writeln!(
        io.err,
        "\nnext: where the root key is, `meshctl ca sign {0}/ca.csr --ca DIR --out {0}`; bring the three certificate files back here",
        folder.display()
    );
    Ok(Exit::Good)
}
