//! `longshore check`: the settings, and everything that they name, in words.

use longshore::config::{self, Config, env};
use longshore::error::{Kind, Result};
use longshore::finding::{Finding, Health};
use longshore::worker::Worker;
use longshore::{aws, units, worker};
use serde_json::json;

use crate::args::Check;
use crate::reach::connections;
use crate::{say, settings};

pub(crate) fn run(args: &Check) -> Result<u8> {
    let mut findings = Findings { json: args.json, exit_code: 0 };
    if args.aws && args.config.is_none() {
        let aws = config::Aws::default();
        settings::block_on(async {
            findings.tell_all(aws::identity::check(&connections(), &aws).await);
            Ok(())
        })?;
        return Ok(findings.exit_code);
    }
    let file = env::settings_file(args.config.as_deref());
    let config = Config::load(&file)?;
    findings.tell(&Finding::good(format!(
        "{} is valid: {}, {}{}",
        file.display(),
        count(config.spools.len(), "spool"),
        outboxes(&config),
        count(config.queues.len(), "queue"),
    )));
    if args.offline {
        for one in config.elsewhere.references() {
            let (key, locator) = (&one.key, &one.locator);
            findings.tell(&Finding::limited(format!("{key} is not looked up at {locator}")));
        }
        look_at(&config, &mut findings)?;
    } else {
        settings::block_on(Box::pin(online(args, config, &mut findings)))?;
    }
    Ok(findings.exit_code)
}

fn look_at(config: &Config, findings: &mut Findings) -> Result<()> {
    for note in &config.notes {
        findings.tell(&Finding::limited(note));
    }
    // What building finds, `run` would refuse.
    Worker::new(config.clone()).map(drop)
}

/// Said only where there are any.
fn outboxes(config: &Config) -> String {
    match config.outboxes.len() {
        0 => String::new(),
        1 => "1 outbox, ".to_owned(),
        number => format!("{number} outboxes, "),
    }
}

fn count(number: usize, thing: &str) -> String {
    units::count(u64::try_from(number).unwrap_or(u64::MAX), thing)
}

async fn online(args: &Check, config: Config, findings: &mut Findings) -> Result<()> {
    let aws = connections();
    let named = config.elsewhere.references().len();
    let config = match worker::complete(config, &aws).await {
        Err(error) if error.kind() != Kind::Settings => {
            findings.tell(&Finding::of_error(&error, error.kind().exit_code()));
            return Ok(());
        }
        completed => completed?,
    };
    if named > 0 {
        let values = count(named, "value");
        findings.tell(&Finding::good(format!("{values} of the settings can be looked up")));
    }
    look_at(&config, findings)?;
    worker::check::identities(&config, &aws, |told| findings.tell_all(told)).await;
    if !args.aws {
        worker::check::check(&config, &aws, args.probe, |told| findings.tell_all(told)).await;
    }
    Ok(())
}

/// Tells each finding and remembers the worst.
struct Findings {
    json: bool,
    exit_code: u8,
}

impl Findings {
    fn tell_all(&mut self, findings: Vec<Finding>) {
        for finding in &findings {
            self.tell(finding);
        }
    }

    fn tell(&mut self, finding: &Finding) {
        self.exit_code = self.exit_code.max(finding.exit_code);
        let word = match finding.health {
            Health::Good => "ok",
            Health::Limited => "note",
            Health::Broken => "FAIL",
        };
        if self.json {
            let (what, fix) = (&finding.what, &finding.fix);
            say::line(json!({ "health": word.to_lowercase(), "what": what, "fix": fix }));
            return;
        }
        say::line(format_args!("{word:<5} {}", finding.what));
        if let Some(fix) = &finding.fix {
            say::line(format_args!("      → {fix}"));
        }
    }
}
