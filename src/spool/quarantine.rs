//! Where files with a fault of their own go, with the reason in a JSON file beside them, so that
//! nothing bad is tried for ever and nothing is thrown away. Never overwrites an older one.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::{self, AtFlags};
use rustix::io::Errno;
use serde::Serialize;

use super::directory::Directory;
use crate::drop::{self, Existing, rename_to_free};

/// Longer names are cut, so that `.reason.json` and a number still fit behind them.
const LONGEST_STEM: usize = 230;
/// So many files of one name may lie in quarantine.
const MOST_OF_A_NAME: u32 = 10_000;

/// Why a file is in quarantine: the document beside it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reason {
    pub(crate) spool: String,
    pub(crate) file: String,
    pub(crate) key: Option<String>,
    pub(crate) bucket: String,
    /// RFC 3339, UTC.
    pub(crate) when: String,
    #[serde(rename = "reason")]
    pub(crate) why: String,
    pub(crate) kind: &'static str,
    pub(crate) attempts: u32,
    pub(crate) size: u64,
    /// RFC 3339, UTC.
    pub(crate) modified: String,
}

/// Where a file went.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    /// The reason could not be written; the file is in quarantine all the same.
    pub(crate) unexplained: Option<String>,
}

/// Moves `name` of the directory `place` into quarantine and writes the reason beside it. Blocks.
///
/// # Errors
/// When the file could not be moved; it is where it was then.
pub(crate) fn keep(
    directory: &Directory,
    place: &File,
    name: &OsStr,
    reason: &Reason,
) -> io::Result<Kept> {
    for number in 0..MOST_OF_A_NAME {
        let target = target(name, number);
        let beside = with_suffix(&target, ".reason.json");
        if is_taken(directory, &beside) {
            continue;
        }
        match rename_to_free((place, name), (&directory.quarantine, &target)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        let shown = directory.quarantine_path.display().to_string();
        let unexplained = explain(directory, &beside, reason)
            .map_err(|fault| fault.within(&shown).to_string())
            .err();
        let _synced = fs::fsync(&directory.quarantine);
        return Ok(Kept { path: directory.quarantine_path.join(target), unexplained });
    }
    Err(io::Error::other("too many files of this name are in quarantine"))
}

/// A time as RFC 3339 in UTC, to the second.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Days since 1970 as a date of the Gregorian calendar; years are counted from March, so that the
/// leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn explain(directory: &Directory, beside: &OsStr, reason: &Reason) -> Result<(), drop::Fault> {
    let mut text = serde_json::to_vec_pretty(reason).unwrap_or_default();
    text.push(b'\n');
    drop::into(&directory.quarantine, beside, &mut text.as_slice(), Existing::Keep).map(|_bytes| ())
}

fn is_taken(directory: &Directory, name: &OsStr) -> bool {
    !matches!(fs::statat(&directory.quarantine, name, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT))
}

fn target(name: &OsStr, number: u32) -> OsString {
    let bytes = name.as_bytes();
    let stem = OsString::from_vec(bytes.iter().copied().take(LONGEST_STEM).collect());
    if number == 0 { stem } else { with_suffix(&stem, &format!(".{number}")) }
}

fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_339_632_000, "2012-06-14T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn names_stay_short_enough_for_their_reason() {
        let long = "n".repeat(255);
        let target = target(OsStr::new(&long), MOST_OF_A_NAME);
        assert!(with_suffix(&target, ".reason.json").len() <= 255);
    }
}
