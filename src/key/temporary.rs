//! Names that copy tools, editors and network file systems give to files that are not finished.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Names that mean *not finished yet*, or *not yours*.
const TEMPORARY: &[&str] = &[
    ".nfs*",
    ".fuse_hidden*",
    ".#*",
    "#*#",
    "*~",
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.download",
    "*.swp",
    "*.swo",
    "*.swx",
    ".goutputstream-*",
    ".~lock.*#",
    ".DS_Store",
];

/// True for a name that means *not finished yet*, or *not yours*, or that one of these patterns fits:
/// `*` stands for any bytes, `?` for one.
/// ```
/// use std::ffi::OsStr;
///
/// use longshore::key::is_temporary;
/// assert!(is_temporary(OsStr::new("report.csv.part"), &[]));
/// assert!(!is_temporary(OsStr::new("report.csv"), &[]));
/// ```
pub fn is_temporary(name: &OsStr, more: &[String]) -> bool {
    let name = name.as_bytes();
    let fits = |pattern: &str| matches(pattern.as_bytes(), name);
    TEMPORARY.iter().any(|pattern| fits(pattern))
        || more.iter().any(|pattern| fits(pattern))
        || is_rsync(name)
}

/// rsync writes `NAME` as `.NAME.XXXXXX`, six letters and digits.
///
/// `.config.backup` has that form too; so at least one of the six must be a digit or upper case,
/// which all but one in six hundred of rsync's are.
fn is_rsync(name: &[u8]) -> bool {
    let Some((b'.', rest)) = name.split_first() else {
        return false;
    };
    let mut parts = rest.rsplitn(2, |&byte| byte == b'.');
    let (Some(end), Some(stem)) = (parts.next(), parts.next()) else {
        return false;
    };
    !stem.is_empty()
        && end.len() == 6
        && end.iter().all(u8::is_ascii_alphanumeric)
        && end.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// `*` stands for any bytes, `?` for one; everything else for itself.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on when a later part of the pattern does not fit: the last star eats one more.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (Some((b'*', rest)), _) => {
                again = Some((rest, name));
                pattern = rest;
            }
            (Some((wanted, rest)), Some((byte, others))) if wanted == byte || *wanted == b'?' => {
                pattern = rest;
                name = others;
            }
            (None, None) => return true,
            _ => {
                let Some((after_star, eaten)) = again else {
                    return false;
                };
                let Some((_, others)) = eaten.split_first() else {
                    return false;
                };
                again = Some((after_star, others));
                pattern = after_star;
                name = others;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_try_every_length() {
        assert!(matches(b"*a*b", b"xaaxxb"));
        assert!(matches(b"*", b""));
        assert!(matches(b"a**", b"a"));
        assert!(!matches(b"*a*b", b"xbbaa"));
        assert!(!matches(b"?", b""));
    }
}
