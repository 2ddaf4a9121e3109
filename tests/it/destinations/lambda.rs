use std::collections::BTreeSet;
use std::fs;

use super::{Load, haul};
use crate::queues::ground::{Ground, log_line, on_ministack, stop};
use crate::support::{aws, exchange::Exchange, functions::function, proxy::Fault};

fn is_call(seen: &Exchange) -> bool {
    seen.path().ends_with("/invocations")
}

/// A function that writes what it gets into files, and fails where the body says so.
async fn recorder(ground: &Ground, name: &str) {
    let code = format!(
        "import json, os\n\
         def handler(event, context):\n\
         \x20   record = event['Records'][0] if 'Records' in event else event\n\
         \x20   body = json.loads(record['body'])\n\
         \x20   if body.get('poison'):\n\
         \x20       raise ValueError('no such order')\n\
         \x20   open(os.path.join('{}', str(body['number'])), 'w').close()\n",
        ground.path("calls").display()
    );
    fs::create_dir_all(ground.path("calls")).unwrap();
    function(&ground.upstream, name, &code).await;
}

#[tokio::test]
async fn every_message_is_given_to_its_function_before_it_is_deleted() {
    let ground = on_ministack();
    recorder(&ground, "record").await;
    let calls = ground.path("calls");
    let load = Load {
        handler: "[queue.load.handler.lambda]\nfunction = \"record\"\n".to_owned(),
        arrived: async move || {
            let names = fs::read_dir(&calls).unwrap().map(|entry| entry.unwrap().file_name());
            names.map(|name| name.to_str().unwrap().parse().unwrap()).collect::<BTreeSet<u32>>()
        },
        fail: async || {
            ground.proxy.on(10, is_call, Fault::Answer(429, "{}".to_owned()));
            ground.proxy.on(2, is_call, Fault::Answer(404, "{}".to_owned()));
            ground.proxy.on(5, is_call, Fault::CutAfter);
        },
        mend: async || {},
    };
    let daemon = haul(&ground, load).await;
    log_line(&daemon, &["message done", "queue.load.handler"]);
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn an_error_of_the_function_is_retried_or_rejected_as_the_settings_say() {
    let ground = on_ministack();
    recorder(&ground, "record").await;
    for name in ["q", "dead"] {
        ground.queue(name, &[]).await;
    }
    ground.send("q", "{\"poison\": true}").await;
    let settings = |more: &str| {
        format!(
            "[queue.q]\nqueue = \"q\"\ndead_letter_queue = \"dead\"\nwait_time = 1\nretry_initial = \"100ms\"\n\
             [queue.q.handler.lambda]\nfunction = \"record\"\ninput = \"sqs\"\n{more}"
        )
    };
    let daemon = ground.run(&settings(""));
    log_line(&daemon, &["message failed", "function record failed", "no such order"]);
    assert_eq!(stop(daemon), 0);
    let daemon = ground.run(&settings("on_function_error = \"reject\"\n"));
    log_line(&daemon, &["message rejected", "no such order"]);
    ground.wait_empty("q").await;
    assert_eq!(ground.visible("dead").await.len(), 1);
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn an_asynchronous_call_is_done_when_lambda_has_it() {
    let ground = on_ministack();
    recorder(&ground, "record").await;
    ground.queue("q", &[]).await;
    ground.send("q", "{\"number\": 7}").await;
    let daemon = ground.run(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n[queue.q.handler.lambda]\nfunction = \"record\"\n\
         asynchronous = true\n",
    );
    ground.wait_empty("q").await;
    let call = ground.proxy.requests().into_iter().find(is_call).unwrap();
    assert_eq!(call.header("x-amz-invocation-type"), Some("Event"));
    crate::support::eventually("the call itself", crate::support::PATIENCE, || {
        ground.path("calls").join("7").exists()
    });
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_function_that_is_not_there_judges_no_message() {
    let ground = on_ministack();
    ground.queue("q", &[]).await;
    ground.send("q", "{\"number\": 7}").await;
    let daemon = ground.run(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n[queue.q.handler.lambda]\nfunction = \"record\"\n",
    );
    log_line(&daemon, &["ERROR", "handler cannot be started", "function record"]);
    recorder(&ground, "record").await;
    ground.wait_empty("q").await;
    assert!(ground.path("calls").join("7").exists());
    let functions = aws::lambda(&ground.upstream).list_functions().send().await.unwrap();
    assert_eq!(functions.functions.unwrap().len(), 1);
    assert_eq!(stop(daemon), 0);
}
