//! What `longshore check` says of the servers of Redis. Writes nothing.

use super::Server;
use crate::config::RedisServer;
use crate::error::{Kind, Result};
use crate::finding::Finding;

/// Asks all of them whether they are there.
pub(in crate::lock) async fn check(servers: &[RedisServer]) -> Vec<Finding> {
    let asked = servers.iter().map(|server| async move { ask(server).await });
    let answers = futures_util::future::join_all(asked).await;
    let away = answers.iter().filter(|answer| answer.is_err()).count();
    // One of three may be away, and everything works.
    let works = away < servers.len().div_ceil(2);
    let mut findings = Vec::new();
    for (server, answer) in servers.iter().zip(answers) {
        match answer {
            Ok(facts) => findings.extend(facts),
            Err(error) => {
                let mut finding = Finding::of_error(&error, 69);
                if works {
                    finding = Finding::limited(error.told());
                }
                if error.kind() == Kind::Unreachable {
                    let fix = format!("start {server}, or correct servers in [idempotency]");
                    finding = finding.fix(fix);
                } else if let Some(advice) = error.advice() {
                    finding = finding.fix(advice);
                }
                findings.push(finding);
            }
        }
    }
    findings
}

async fn ask(settings: &RedisServer) -> Result<Vec<Finding>> {
    let server = Server::new(settings)?;
    let facts = server.info().await?;
    let fact = |name: &str| {
        facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let shown = server.shown();
    let mut findings = Vec::new();
    if fact("role") == Some("slave") {
        let broken = Finding::broken(format!("{shown} is a replica, which takes no locks"));
        findings.push(broken.fix("name the primary"));
    } else {
        findings.push(Finding::good(format!("{shown} answers")));
    }
    let evicts = fact("maxmemory_policy").is_some_and(|policy| policy != "noeviction");
    if evicts && fact("maxmemory").is_some_and(|most| most != "0") {
        let limited = Finding::limited(format!("{shown} forgets keys when its memory is full"));
        findings.push(limited.fix("set maxmemory-policy noeviction there"));
    }
    Ok(findings)
}
