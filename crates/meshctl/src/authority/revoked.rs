//! The list of what the CAs of a folder have revoked.

use std::path::Path;

use meshpki::RevocationList;

use crate::failure::Failure;
use crate::files::{self, Workspace};

/// File of the list in a CA folder.
pub(crate) const REVOKED: &str = "revoked.txt";
/// Where Git reads how it merges files.
const ATTRIBUTES: &str = ".gitattributes";

/// The list of a folder; empty if there is none.
///
/// # Errors
/// `ctl/revocations` for what is not a list, `ctl/io`.
pub(crate) fn read(dir: &Path) -> Result<RevocationList, Failure> {
    let path = dir.join(REVOKED);
    let Some(bytes) = files::read_optional(&path)? else { return Ok(RevocationList::default()) };
    let fail = |why: String| {
        Failure::new("ctl/revocations", "the list of revoked certificates cannot be read")
            .in_file(&path)
            .because(why)
            .hint("a line is SERIAL KEY TIME REASON SUBJECT, as `meshctl ca revoke` writes it; after a merge, keep the lines of both sides")
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| fail(error.to_string()))?;
    text.parse().map_err(|error: meshpki::RevocationListError| fail(error.to_string()))
}

/// Stages a list, and the attribute by which Git keeps the lines of both sides of a merge, unless the folder has one
/// already.
///
/// # Errors
/// `ctl/io`.
pub(crate) fn stage(
    dir: &Path,
    list: &RevocationList,
    workspace: &mut Workspace,
) -> Result<(), Failure> {
    workspace.stage(Path::new(REVOKED), list.to_string().as_bytes(), false)?;
    let attributes = files::read_optional(&dir.join(ATTRIBUTES))?;
    let text = attributes.map_or_else(
        || format!("{REVOKED} merge=union\n").into(),
        |mut kept| std::mem::take(&mut *kept),
    );
    workspace.stage(Path::new(ATTRIBUTES), &text, false)
}

/// Puts a staged list in its place.
///
/// # Errors
/// `ctl/io`.
pub(crate) fn place(workspace: &mut Workspace) -> Result<(), Failure> {
    workspace.replace(Path::new(ATTRIBUTES))?;
    workspace.replace(Path::new(REVOKED))
}
