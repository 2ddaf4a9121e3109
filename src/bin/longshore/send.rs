//! `longshore send`: one message, or one for each line of standard input, sent as they come.

use longshore::aws::Aws;
use longshore::config::{self, Config};
use longshore::error::{Error, Kind, Result};
use longshore::message::Outgoing;
use longshore::toolkit::sqs::{Sender, resolve};
use longshore::toolkit::transport::SendReport;
use longshore::units;
use serde_json::json;
use tokio::io::BufReader;
use tokio::time::{Duration, Instant, timeout_at};

use crate::args::Send;
use crate::lines::Lines;
use crate::{say, settings};

/// A line that waits for company is sent after this long.
const LINGER: Duration = Duration::from_millis(200);

pub(crate) fn run(args: Send) -> Result<u8> {
    let report = settings::block_on(send(&args))?;
    if args.json {
        let failed: Vec<_> = report
            .failed
            .iter()
            .map(|(number, error)| json!({ "message": number + 1, "error": error.to_string() }))
            .collect();
        say::line(json!({ "queue": args.queue, "sent": report.sent, "failed": failed }));
    } else {
        say::line(format_args!("sent {} to {}", units::count(report.sent, "message"), args.queue));
    }
    for (_, error) in &report.failed {
        say::error(error);
    }
    Ok(report.failed.first().map_or(0, |(_, error)| {
        // What SQS would never take is the caller's mistake.
        let kind = if error.kind() == Kind::Invalid { Kind::Usage } else { error.kind() };
        kind.exit_code()
    }))
}

async fn send(args: &Send) -> Result<SendReport> {
    let (queue, aws) = target(args)?;
    let connection = Aws::new().connect(&aws).await?;
    let url = resolve(&connection.sqs, &queue).await?;
    let mut sender = Sender::new(connection.sqs, url);
    let pushed = match args.body.as_deref() {
        Some(body) if body != "-" => sender.push(Outgoing::text(body)).await,
        _ => send_lines(&mut sender).await,
    };
    let sent = match pushed {
        Ok(()) => sender.flush().await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        let so_far = sender.report().sent;
        if so_far == 0 {
            return Err(error);
        }
        let sent = units::count(so_far, "message");
        return Err(Error::new(error.kind(), format!("only {sent} were sent")).because(error));
    }
    sender.finish().await
}

/// Lines leave in batches; a line that comes alone leaves soon after.
async fn send_lines(sender: &mut Sender) -> Result<()> {
    let mut lines = Lines::of(BufReader::new(tokio::io::stdin()));
    let mut flush_at: Option<Instant> = None;
    loop {
        let far = Instant::now() + Duration::from_hours(1);
        let Ok(line) = timeout_at(flush_at.unwrap_or(far), lines.next()).await else {
            sender.flush().await?;
            flush_at = None;
            continue;
        };
        match line? {
            None => return Ok(()),
            Some(Ok(line)) => sender.push(Outgoing::text(line)).await?,
            Some(Err(why)) => sender.refuse(why),
        }
        flush_at.get_or_insert_with(|| Instant::now() + LINGER);
    }
}

/// Which queue, and how to reach it: from the settings where they name it.
fn target(args: &Send) -> Result<(String, config::Aws)> {
    if let Some(endpoint) = &args.local {
        let aws = config::Aws {
            endpoint_url: Some(endpoint.clone()),
            sealed: true,
            region: args.region.clone(),
            ..config::Aws::default()
        };
        return Ok((args.queue.clone(), aws));
    }
    let (queue, mut aws) = match args.config.as_deref().map(Config::load).transpose()? {
        Some(mut config) => match config.queues.remove(&args.queue) {
            Some(known) => (known.queue, known.aws),
            None => (args.queue.clone(), config.aws),
        },
        None => (args.queue.clone(), config::Aws::default()),
    };
    if args.region.is_some() {
        aws.region.clone_from(&args.region);
    }
    if args.endpoint_url.is_some() {
        aws.endpoint_url.clone_from(&args.endpoint_url);
    }
    Ok((queue, aws))
}
