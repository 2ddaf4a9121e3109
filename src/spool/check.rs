//! What `longshore check` says of a spool, in words.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::directory::{self, Directory};
use super::open::{self, Writer};
use crate::aws::fault::fault;
use crate::aws::{Aws, Connection};
use crate::config::{self, Destination, Outlet};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::flow::blocking::Blocking;
use crate::toolkit::s3::parts::header;
use crate::toolkit::sqs;

/// The key under which `--probe` writes.
const PROBE_KEY: &str = ".longshore-probe";

/// Looks at a spool's directory and bucket, or at an outbox's directory and its queue or topic, to
/// which nothing is ever sent. Without `probe` nothing is written to the bucket; with
/// it, one small object is put and deleted again. Nothing is left in the directory but our own.
pub async fn check(name: &str, settings: &config::Spool, aws: &Aws, probe: bool) -> Vec<Finding> {
    let own = settings.clone();
    super::handle_lease_signals();
    let looked = Blocking::new(1).run(move || look(&own)).await;
    let mut findings = looked.unwrap_or_else(|error| vec![broken(&error)]);
    let kind = match &settings.destination {
        Destination::Bucket(name) => {
            findings.extend(bucket(name, settings, aws, probe).await);
            "spool"
        }
        Destination::Messages(outbox) => {
            findings.push(outlet(&outbox.outlet, settings, aws).await);
            "outbox"
        }
    };
    findings.into_iter().map(|finding| finding.about(format_args!("{kind} {name}"))).collect()
}

/// Asks whether the bucket, queue or topic is there, and writes nothing.
pub(super) async fn ask(aws: &Aws, settings: &config::Spool) -> Result<()> {
    let connection = aws.connect(&settings.aws).await?;
    let asked = match &settings.destination {
        Destination::Bucket(bucket) => {
            let asked = connection.s3.head_bucket().bucket(bucket).send().await;
            asked
                .map(|_answer| ())
                .map_err(|error| fault(format!("looking for bucket {bucket:?}"), error))
        }
        Destination::Messages(outbox) => ask_outlet(&connection, &outbox.outlet).await,
    };
    aws.heed(&settings.aws, asked)
}

async fn ask_outlet(connection: &Connection, outlet: &Outlet) -> Result<()> {
    match outlet {
        Outlet::Queue(queue) => {
            let url = sqs::resolve(&connection.sqs, queue).await?;
            sqs::facts(&connection.sqs, &url).await.map(|_facts| ())
        }
        Outlet::Topic(topic) => {
            let asked = connection.sns.get_topic_attributes().topic_arn(topic).send().await;
            asked
                .map(|_answer| ())
                .map_err(|error| fault(format!("reading the attributes of topic {topic}"), error))
        }
    }
}

/// No message is sent to find out: there is no taking it back.
async fn outlet(outlet: &Outlet, settings: &config::Spool, aws: &Aws) -> Finding {
    match ask(aws, settings).await {
        Ok(()) => Finding::good(format!("{outlet} answers")),
        Err(error) if error.kind() == Kind::Denied && !is_looked_up(outlet) => {
            Finding::limited(format!("we may not ask for {outlet}: {error}"))
                .fix("sending may be allowed all the same; the first file will tell")
        }
        Err(error) => unavailable(&error),
    }
}

/// A queue's name has to be looked up before anything can be sent.
fn is_looked_up(outlet: &Outlet) -> bool {
    matches!(outlet, Outlet::Queue(queue) if !queue.contains("://"))
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

async fn bucket(bucket: &str, settings: &config::Spool, aws: &Aws, probe: bool) -> Vec<Finding> {
    let connection = match aws.connect(&settings.aws).await {
        Ok(connection) => connection,
        Err(error) => return vec![unavailable(&error)],
    };
    let mut findings = vec![match ask(aws, settings).await {
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
