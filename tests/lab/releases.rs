//! The option `--openssl 3.0,3.5,3.6`, which several tools have.

use meshpki::verify::Release;

/// The releases that are asked for, all without the option, and the other arguments.
pub(crate) fn options<'a>(args: &[&'a str]) -> Result<(Vec<Release>, Vec<&'a str>), String> {
    let Some(at) = args.iter().position(|arg| *arg == "--openssl") else {
        return Ok((Release::ALL.to_vec(), args.to_vec()));
    };
    let list = args.get(at + 1).ok_or("--openssl needs releases, such as 3.0,3.5")?;
    let release = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
    let releases = list.split(',').map(release).collect::<Result<_, _>>()?;
    Ok((releases, [&args[..at], &args[at + 2..]].concat()))
}
