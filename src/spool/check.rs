//! What `longshore check` says of a spool, in words.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::deliver::header;
use super::directory::{self, Directory};
use super::open::{self, Writer};
use crate::aws::fault::fault;
use crate::aws::{Aws, Connection};
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::flow::blocking::Blocking;

/// The key under which `--probe` writes.
const PROBE_KEY: &str = ".longshore-probe";

/// Looks at a spool's directory and bucket. Without `probe` nothing is written to the bucket; with
/// it, one small object is put and deleted again. Nothing is left in the directory but our own.
pub async fn check(name: &str, settings: &config::Spool, aws: &Aws, probe: bool) -> Vec<Finding> {
    let own = settings.clone();
    super::handle_lease_signals();
    let looked = Blocking::new(1).run(move || look(&own)).await;
    let mut findings = looked.unwrap_or_else(|error| vec![broken(&error)]);
    findings.extend(bucket(settings, aws, probe).await);
    findings.into_iter().map(|finding| finding.about(format_args!("spool {name}"))).collect()
}

/// Asks whether the bucket is there, and writes nothing.
pub(super) async fn ask_bucket(aws: &Aws, settings: &config::Spool) -> Result<()> {
    let connection = aws.connect(&settings.aws).await?;
    let asked = connection.s3.head_bucket().bucket(&settings.bucket).send().await;
    let asked = asked
        .map(|_answer| ())
        .map_err(|error| fault(format!("asking for bucket {:?}", settings.bucket), error));
    aws.heed(&settings.aws, asked)
}

fn look(settings: &config::Spool) -> Vec<Finding> {
    let shown = settings.directory.display();
    let directory = match Directory::establish(settings) {
        Ok(directory) => directory,
        Err(error) if error.kind() == Kind::Busy => {
            let holder = directory::holder(&settings.directory)
                .map_or_else(String::new, |pid| format!(" (pid {pid})"));
            return vec![Finding::good(format!(
                "{shown} is in use by a running longshore{holder}"
            ))];
        }
        Err(error) => return vec![broken(&error)],
    };
    let mut findings = vec![Finding::good(format!("{shown} can be read, written and renamed in"))];
    if let Some(kind) = directory.network {
        findings.push(Finding::limited(format!(
            "{shown} lies on {kind}: no file events, it is read every poll_interval"
        )));
    }
    findings.push(leases(&directory));
    if !directory.quarantine_is_near() {
        let quarantine = settings.quarantine_directory.display();
        findings.push(
            Finding::broken(format!("{quarantine} is not on the file system of {shown}"))
                .fix("name a quarantine_directory on the same file system, or leave it out"),
        );
    }
    findings
}

/// Whether it can be told that somebody still writes a file; tried on our own lock file's twin and
/// judged by who owns the directory, since files of others need `CAP_LEASE`.
fn leases(directory: &Directory) -> Finding {
    let path = config::own_directory(&directory.path).join("lease-trial");
    let tried =
        File::create(&path).and_then(|_closed| File::open(&path)).map(|file| open::lease(&file));
    let _removed = std::fs::remove_file(&path);
    let me = rustix::process::geteuid();
    let foreign = directory.path.metadata().is_ok_and(|stat| stat.uid() != me.as_raw());
    let fallback = "there a file is taken once its close was seen, or once it is quiet";
    match tried {
        Ok(Writer::Nobody) if me.is_root() || !foreign => {
            Finding::good("read leases work: a file that somebody still writes is never taken")
        }
        Ok(Writer::Nobody) => Finding::limited(format!(
            "read leases work for our own files; for files of other users only with CAP_LEASE; \
             {fallback}"
        ))
        .fix("AmbientCapabilities=CAP_LEASE in the unit, or set min_age"),
        Ok(Writer::Somebody | Writer::Unknown) | Err(_) => Finding::limited(format!(
            "no read leases on this file system: it cannot be told whether somebody still writes a \
             file; {fallback}"
        ))
        .fix("rename files into the spool when they are whole, or set min_age"),
    }
}

async fn bucket(settings: &config::Spool, aws: &Aws, probe: bool) -> Vec<Finding> {
    let bucket = &settings.bucket;
    let connection = match aws.connect(&settings.aws).await {
        Ok(connection) => connection,
        Err(error) => return vec![unavailable(&error)],
    };
    let mut findings = vec![match ask_bucket(aws, settings).await {
        Ok(()) => Finding::good(format!("bucket {bucket:?} answers")),
        Err(error) if error.kind() == Kind::Denied && !probe => Finding::limited(format!(
            "bucket {bucket:?} is there, and we may not ask for it: {error}"
        ))
        .fix("uploads may be allowed all the same: check --probe writes one object to find out"),
        Err(error) if error.kind() == Kind::Denied => {
            Finding::limited(format!("bucket {bucket:?} may not be asked for"))
        }
        Err(error) => unavailable(&error),
    }];
    if probe {
        findings.push(match write(&connection, bucket).await {
            Ok(()) => Finding::good(format!("bucket {bucket:?} takes objects")),
            Err(error) => unavailable(&error),
        });
    }
    findings
}

async fn write(connection: &Connection, bucket: &str) -> Result<()> {
    let put = connection.s3.put_object().bucket(bucket).key(PROBE_KEY);
    // As uploads do: the checksum (of nothing) in a header, and no trailer.
    put.body(Vec::new().into())
        .checksum_crc64_nvme(header(0))
        .send()
        .await
        .map_err(|error| fault(format!("writing {PROBE_KEY:?} to bucket {bucket:?}"), error))?;
    // Deleting is another permission, which uploads do not need.
    let _deleted = connection.s3.delete_object().bucket(bucket).key(PROBE_KEY).send().await;
    Ok(())
}

fn broken(error: &Error) -> Finding {
    Finding::of_error(error, 78)
}

fn unavailable(error: &Error) -> Finding {
    Finding::of_error(error, 69)
}
