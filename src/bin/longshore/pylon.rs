//! `longshore run --pylon -- COMMAND…`: a component of pylon's.

use std::path::Path;
use std::time::Duration;

use longshore::aws::Aws;
use longshore::backoff::Backoff;
use longshore::config::{Config, Local as Sealed};
use longshore::error::{Kind, Result};
use longshore::local::{ACCOUNT, Local};
use longshore::pylon::{self, Component, Place, Settings, Work};
use longshore::shutdown::Shutdown;
use longshore::shutdown::signals::Stop;
use longshore::supervisor::Tasks;
use longshore::worker::Worker;

use crate::args::{LogArgs, Run};
use crate::run::{beside, ended, make_what_is_named, run_worker};
use crate::{local, say, settings};

/// Between two looks for settings that cannot be read now.
const AGAIN: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_mins(5));

pub(crate) fn run(log: &LogArgs, args: &Run) -> Result<u8> {
    let config = Config::of_environment()?;
    let Some(directory) = &args.local else {
        return run_with(log, args, config, None);
    };
    local::may_be_directory(directory)?;
    run_with(log, args, config, Some(directory))
}

fn run_with(log: &LogArgs, args: &Run, base: Config, directory: Option<&Path>) -> Result<u8> {
    let mut told_to = base.log.target.clone();
    let ran = settings::block_on(async {
        let shutdown = Shutdown::new();
        let mut signals = Tasks::new();
        signals.spawn("signals", Stop::install()?.forward(shutdown.clone()));
        let aws = match directory {
            Some(directory) => Some(local::start(directory).await?),
            None => None,
        };
        let mut base = base;
        if let (Some(aws), Some(directory)) = (&aws, directory) {
            base = base.local(Sealed { directory, endpoint: aws.endpoint(), yes: args.yes })?;
        }
        let Some(mut component) = read(&base, &shutdown).await? else { return Ok(0) };
        if let (Some(aws), Some(directory)) = (&aws, directory) {
            component = component.local(directory, args.yes)?;
            make(aws, &mut component).await?;
        }
        let mut config = component.among(base);
        settings::start_log(log, &mut config)?;
        told_to = config.log.target.clone();
        let work = Work::command(args.command.clone(), &component)?;
        let own = Component::new(component, work, Aws::new(), config.aws.clone());
        let Some(aws) = aws else {
            return run_worker(Worker::component(config, own)?, args.once, shutdown).await;
        };
        make_what_is_named(&aws, &mut config).await?;
        if let Some(directory) = directory {
            local::banner(&aws, directory, &config);
        }
        let worker = run_worker(Worker::component(config, own)?, args.once, shutdown.clone());
        let code = Box::pin(beside(&aws, worker, &shutdown)).await;
        aws.stop().await;
        code
    });
    ran.or_else(|error| ended(error, &told_to))
}

/// The settings; nothing where a stop came first. What the world may mend is waited for.
async fn read(base: &Config, shutdown: &Shutdown) -> Result<Option<Settings>> {
    let aws = Aws::new();
    let mut tries = 0;
    loop {
        let error = match pylon::read(&aws, &base.aws).await {
            Ok(settings) => return Ok(Some(settings)),
            Err(error) if matches!(error.kind(), Kind::Settings | Kind::File | Kind::Usage) => {
                return Err(error);
            }
            Err(error) => error,
        };
        tries += 1;
        // There is no log yet: what it is like, the settings say.
        say::note(format_args!("{error}; it is tried again"));
        tokio::select! {
            () = shutdown.draining() => return Ok(None),
            () = tokio::time::sleep(AGAIN.ceiling(tries)) => {}
        }
    }
}

/// What the output and the store name, in the embedded AWS.
async fn make(aws: &Local, settings: &mut Settings) -> Result<()> {
    match &mut settings.output {
        Some(Place::Queue(queue)) => {
            aws.ensure_queue(queue)?;
        }
        Some(Place::Topic(topic)) => {
            *topic = aws.ensure_topic(topic.rsplit(':').next().unwrap_or(ACCOUNT))?;
        }
        Some(Place::Folder(_)) | None => {}
    }
    if let Some(store) = &settings.store {
        aws.ensure_bucket(store.bucket()).await?;
    }
    Ok(())
}
