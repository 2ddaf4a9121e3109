//! `longshore run`: the daemon.

use std::path::Path;

use longshore::aws::Aws;
use longshore::config::{Config, Destination, Handler, Local as Sealed, LogTarget, Outlet, env};
use longshore::error::{Error, Result};
use longshore::local::Local;
use longshore::shutdown::Shutdown;
use longshore::shutdown::signals::Stop;
use longshore::supervisor::Tasks;
use longshore::worker::{self, Worker};

use crate::args::{self, DEFAULT_ENDPOINT, LogArgs, Run};
use crate::{check, local, pylon, say, settings};

/// Running work had to be cut off: try again later (sysexits.h).
const CUT_OFF: u8 = 75;

pub(crate) fn run(log: &LogArgs, args: Run) -> Result<u8> {
    if args.pylon {
        return pylon::run(log, &args);
    }
    let mut config = match (&args.local, &args.config) {
        (Some(_), None) => Config::trial(),
        (_, named) => Config::load(&env::settings_file(named.as_deref()))?,
    };
    if config.dry_run {
        return check::run(&args::Check::of_run(&args));
    }
    if let Some(directory) = &args.local {
        // Before anything is made: what `--local` refuses leaves no trace.
        local::may_be_directory(directory)?;
        seal(config.clone(), directory, DEFAULT_ENDPOINT, args.yes)?;
    }
    settings::start_log(log, &mut config)?;
    let told_to = config.log.target.clone();
    let ran = settings::block_on(async {
        let shutdown = Shutdown::new();
        let mut beside = Tasks::new();
        beside.spawn("signals", Stop::install()?.forward(shutdown.clone()));
        match &args.local {
            Some(directory) => Box::pin(run_locally(config, directory, &args, shutdown)).await,
            None => run_worker(Worker::new(config)?, args.once, shutdown).await,
        }
    });
    ran.or_else(|error| ended(error, &told_to))
}

/// The log says why; where nobody sees it there, standard error does.
pub(crate) fn ended(error: Error, told_to: &LogTarget) -> Result<u8> {
    // Of the settings there may be several mistakes.
    for error in error.to_string().lines() {
        tracing::error!(error, "longshore ends");
    }
    let code = error.exit_code();
    let told = *told_to == LogTarget::Stderr && tracing::enabled!(tracing::Level::ERROR);
    if told { Ok(code) } else { Err(error) }
}

fn seal(config: Config, directory: &Path, endpoint: &str, yes: bool) -> Result<Config> {
    config.local(Sealed { directory, endpoint, yes })
}

pub(crate) async fn run_worker(worker: Worker, once: bool, shutdown: Shutdown) -> Result<u8> {
    let worker = if once { worker.once() } else { worker };
    let report = worker.run(shutdown).await?;
    for (queue, did) in &report.queues {
        tracing::info!(
            queue,
            received = did.received,
            done = did.done,
            retried = did.retried,
            rejected = did.rejected,
            released = did.released,
            stranded = did.stranded,
            "queue stopped"
        );
    }
    tracing::info!("stopped");
    Ok(if report.aborted { CUT_OFF } else { 0 })
}

/// The same worker on the embedded AWS, with what its settings name made beforehand.
async fn run_locally(
    config: Config,
    directory: &Path,
    args: &Run,
    shutdown: Shutdown,
) -> Result<u8> {
    let aws = local::start(directory).await?;
    let mut config = seal(config, directory, aws.endpoint(), args.yes)?;
    if config.elsewhere.is_unread() {
        say_what_is_looked_for(&aws, &config);
        let Some(complete) = worker::await_complete(&config, &Aws::new(), &shutdown).await? else {
            aws.stop().await;
            return Ok(0);
        };
        config = seal(complete, directory, aws.endpoint(), args.yes)?;
    }
    make_what_is_named(&aws, &mut config).await?;
    local::banner(&aws, directory, &config);
    let worker = Worker::new(config)?;
    let working = run_worker(worker, args.once, shutdown.clone());
    let code = Box::pin(beside(&aws, working, &shutdown)).await;
    aws.stop().await;
    code
}

fn say_what_is_looked_for(aws: &Local, config: &Config) {
    let endpoint = aws.endpoint();
    say::line(format_args!("The settings name values, which are looked for at {endpoint}:"));
    for one in config.elsewhere.references() {
        say::line(format_args!("  {} = {}", one.key, one.locator));
    }
    say::line(format_args!("Put one there: longshore ssm put NAME --local={endpoint}"));
}

/// Runs a worker beside the embedded AWS that it uses.
pub(crate) async fn beside(
    aws: &Local,
    worker: impl Future<Output = Result<u8>>,
    shutdown: &Shutdown,
) -> Result<u8> {
    tokio::pin!(worker);
    tokio::select! {
        code = &mut worker => code,
        () = shutdown.draining() => {
            // Open polls are answered at once: nobody waits for them any more.
            aws.drain();
            worker.await
        }
    }
}

pub(crate) async fn make_what_is_named(aws: &Local, config: &mut Config) -> Result<()> {
    for spool in config.spools.values() {
        std::fs::create_dir_all(&spool.directory).ok();
        if let Some(bucket) = spool.bucket() {
            aws.ensure_bucket(bucket).await?;
        }
    }
    for outbox in config.outboxes.values_mut() {
        std::fs::create_dir_all(&outbox.directory).ok();
        if let Destination::Messages(outbox) = &mut outbox.destination {
            match &mut outbox.outlet {
                Outlet::Queue(queue) => {
                    aws.ensure_queue(queue)?;
                }
                Outlet::Topic(topic) => *topic = aws.ensure_topic(topic)?,
            }
        }
    }
    if let Some(table) = config.idempotency.iter().find_map(|locks| locks.table()) {
        aws.ensure_table(&table.name, "id")?;
    }
    for queue in config.queues.values_mut() {
        aws.ensure_queue(&queue.queue)?;
        for handler in queue.handler.iter_mut().chain(queue.routes.values_mut()) {
            match handler {
                Handler::S3(s3) => aws.ensure_bucket(&s3.bucket).await?,
                Handler::Sns(sns) => sns.topic = aws.ensure_topic(&sns.topic)?,
                Handler::Sqs(sqs) => {
                    aws.ensure_queue(&sqs.queue)?;
                }
                // The key of any other table is not known here.
                Handler::Dynamodb(dynamodb) => {
                    if let Some(key) = &dynamodb.id_attribute {
                        aws.ensure_table(&dynamodb.table, key)?;
                    }
                }
                Handler::Exec(_)
                | Handler::Http(_)
                | Handler::Lambda(_)
                | Handler::Print
                | Handler::Spool(_)
                | Handler::Sql(_) => {}
            }
        }
        if let Some(dead_letters) = &queue.dead_letter_queue {
            aws.ensure_queue(dead_letters)?;
        }
    }
    Ok(())
}
