//! Passwords from PGPASSFILE or `~/.pgpass`, read as libpq reads them (the driver does not).

use std::path::PathBuf;

/// The password that the password file holds for this connection, if there is one.
///
/// A file that group or others can read is ignored with a warning, as libpq does.
pub fn lookup(host: &str, port: u16, database: &str, user: &str) -> Option<String> {
    let path = std::env::var_os("PGPASSFILE")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass")))?;
    let text = std::fs::read_to_string(&path).ok()?;
    let mode = std::fs::metadata(&path).map(|m| std::os::unix::fs::MetadataExt::mode(&m)).ok()?;
    if mode & 0o077 != 0 {
        log::warn!(
            "password file '{}' is ignored: group or others can read it (mode {:o}, expected 600)",
            path.display(),
            mode & 0o777
        );
        return None;
    }
    let port = port.to_string();
    // libpq looks a Unix socket directory up as "localhost" when it is the default one; here the directory itself
    // and "localhost" are both tried.
    let hosts: &[&str] = if host.starts_with('/') { &[host, "localhost"] } else { &[host] };
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = split(line);
        let [h, p, d, u, password] = fields.as_slice() else {
            return None;
        };
        let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let found = hosts.iter().any(|host| fits(h, host)) && fits(p, &port) && fits(d, database) && fits(u, user);
        found.then(|| password.clone())
    })
}

/// Fields are separated by `:`; `\:` and `\\` are escapes.
fn split(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut chars) = (Vec::new(), String::new(), line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => field.extend(chars.next()),
            ':' if fields.len() < 4 => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    #[test]
    fn escaped_colons_belong_to_the_field() {
        assert_eq!(super::split(r"h\:x:5432:*:u:p:w\\"), ["h:x", "5432", "*", "u", r"p:w\"]);
    }
}
