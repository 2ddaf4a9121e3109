//! `longshore s3` on the real binary; what it wrote is read back by the aws CLI.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    PATIENCE,
    daemon::{Finished, Launch, longshore, program},
    emulator::{Emulator, embedded, ministack},
    eventually, free_port,
    proxy::{Fault, Gate, Proxy},
    venv,
};

/// An AWS and a directory to work in.
struct Ground {
    server: Emulator,
    directory: TempDir,
}

impl Ground {
    fn on(server: Emulator) -> Ground {
        let ground = Ground { server, directory: TempDir::new().unwrap() };
        ground.run(["mb", "s3://reports"]).expect(0, &["made s3://reports"]);
        ground
    }

    fn launch(&self, launch: Launch) -> Launch {
        launch.endpoint(&self.server.endpoint()).at(self.directory.path())
    }

    fn run<const N: usize>(&self, args: [&str; N]) -> Finished {
        self.launch(longshore(["s3"]).args(&args)).finish()
    }

    /// The documents of a run that succeeded.
    fn told<const N: usize>(&self, args: [&str; N]) -> Vec<Value> {
        let finished = self.run(args);
        assert_eq!(finished.code, 0, "{}", finished.said());
        let lines = finished.stdout.lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A shell with the binary as its first argument.
    fn shell(&self, command: &str) -> Finished {
        let binary = env!("CARGO_BIN_EXE_longshore");
        let shell = program(Path::new("/bin/sh"), ["-c", command, binary]);
        self.launch(shell).finish()
    }

    fn aws<const N: usize>(&self, args: [&str; N]) -> String {
        let finished = self.launch(program(&venv("aws"), args)).finish();
        assert_eq!(finished.code, 0, "{}", finished.said());
        finished.stdout
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

fn objects_by_their_verbs(ground: &Ground) {
    ground.write("a.txt", "hello world");
    let put = ["cp", "a.txt", "s3://reports/x/", "--content-type", "text/x-log"];
    let put = ground.launch(longshore(["s3"]).args(&put).args(&["--metadata", "who=me,why=so"]));
    put.finish().expect(0, &["uploaded a.txt to s3://reports/x/a.txt"]);
    ground.run(["put", "a.txt", "s3://reports/x/a.txt"]).expect(0, &["unchanged a.txt to"]);
    ground.run(["cp", "a.txt", "s3://reports/x/a.txt", "--force"]).expect(0, &["uploaded a.txt"]);
    // The same content is no reason to leave undone what else is asked for.
    let again = ["put", "a.txt", "s3://reports/x/a.txt", "--content-type", "text/x-other"];
    ground.run(again).expect(0, &["uploaded a.txt"]);
    ground
        .run(["cp", "a.txt", "s3://reports/x/b.txt", "--metadata", r#"{"who":"me, too"}"#])
        .expect(0, &[]);

    // Read back by other hands.
    let head = ["s3api", "head-object", "--bucket", "reports", "--key", "x/b.txt"];
    let head: Value = serde_json::from_str(&ground.aws(head)).unwrap();
    assert_eq!((&head["ContentLength"], &head["Metadata"]["who"]), (&json!(11), &json!("me, too")));
    assert_eq!(ground.aws(["s3", "cp", "s3://reports/x/a.txt", "-"]), "hello world");

    let told = ground.told(["head", "s3://reports/x/b.txt", "--json"]);
    assert_eq!((&told[0]["size"], &told[0]["metadata"]["who"]), (&json!(11), &json!("me, too")));
    assert!(told[0]["sha512"].as_str().unwrap().starts_with("309ecc489c12d6eb4cc40f50"));
    ground.run(["stat", "s3://reports/x/b.txt"]).expect(0, &["size=11\n", "metadata.who=me, too"]);

    let cat = ground.run(["cat", "s3://reports/x/a.txt"]);
    assert_eq!((cat.code, &*cat.stdout), (0, "hello world"), "{}", cat.said());
    ground.run(["get", "s3://reports/x/a.txt", "got/deep/"]).expect(0, &["downloaded s3://"]);
    assert_eq!(ground.read("got/deep/a.txt"), "hello world");
    ground.run(["get", "s3://reports/x/b.txt"]).expect(0, &["to ./b.txt"]);
    assert_eq!(ground.read("b.txt"), "hello world");

    ground.run(["cp", "s3://reports/x/a.txt", "s3://reports/y/"]).expect(0, &["copied s3://"]);
    ground.run(["mv", "s3://reports/y/a.txt", "s3://reports/y/c"]).expect(0, &["moved s3://"]);
    ground.run(["exists", "s3://reports/y/a.txt"]).expect(69, &["does not exist"]);
    ground.run(["mv", "s3://reports/y/c", "c"]).expect(0, &["moved s3://reports/y/c to c"]);
    ground.run(["exists", "s3://reports/y/c"]).expect(69, &["does not exist"]);
    assert_eq!(ground.read("c"), "hello world");
    ground.run(["mv", "c", "s3://reports/y/d"]).expect(0, &["moved c to s3://reports/y/d"]);
    assert!(!ground.path("c").exists());
    ground.run(["exists", "s3://reports/y/d"]).expect(0, &["s3://reports/y/d exists"]);

    ground.run(["rm", "s3://reports/y/d"]).expect(0, &["deleted s3://reports/y/d"]);
    ground.run(["exists", "s3://reports"]).expect(0, &["exists"]);
    ground.run(["exists", "s3://nothing-here"]).expect(69, &["does not exist"]);
}

#[test]
fn objects_by_their_verbs_on_the_embedded_aws() {
    objects_by_their_verbs(&Ground::on(embedded()));
}

#[test]
fn objects_by_their_verbs_on_ministack() {
    objects_by_their_verbs(&Ground::on(ministack()));
}

#[test]
fn an_acl_is_for_buckets_that_take_one() {
    let ground = Ground::on(ministack());
    ground.write("a", "hello");
    let put = ["put", "a", "s3://reports/a", "--acl", "public-read"];
    ground.run(put).expect(69, &["AccessControlListNotSupported", "leave the ACL out"]);
    ground.aws([
        "s3api",
        "put-bucket-ownership-controls",
        "--bucket=reports",
        "--ownership-controls=Rules=[{ObjectOwnership=ObjectWriter}]",
    ]);
    ground.run(put).expect(0, &["uploaded a to"]);
}

fn trees_and_buckets(ground: &Ground) {
    for name in ["foo.png", "foo/bar.txt", "foo/baz/boo.txt"] {
        ground.write(&format!("tree/{name}"), name);
    }
    let put = ground.run(["cp", "tree", "s3://reports", "--recursive"]);
    assert_eq!((put.code, put.stdout.lines().count()), (0, 3), "{}", put.said());
    let again = ground.run(["cp", "tree/", "s3://reports/", "--recursive"]);
    assert!(again.stdout.lines().all(|line| line.starts_with("unchanged ")), "{}", again.said());

    let names = |args: &[&str]| -> Vec<String> {
        let list = ground.launch(longshore(["s3", "ls"]).args(args).args(&["--json"])).finish();
        assert_eq!(list.code, 0, "{}", list.said());
        let name = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            line.get("key").or(line.get("prefix")).unwrap().as_str().unwrap().to_owned()
        };
        list.stdout.lines().map(name).collect()
    };
    assert_eq!(names(&["s3://reports"]), ["foo.png", "foo/"]);
    assert_eq!(names(&["s3://reports/foo"]), ["foo/bar.txt", "foo/baz/"]);
    assert_eq!(names(&["s3://reports/foo/", "--recursive"]), ["foo/bar.txt", "foo/baz/boo.txt"]);
    assert_eq!(names(&["s3://reports", "--recursive"]).len(), 3);
    assert_eq!(names(&["s3://reports/foo.png"]), ["foo.png"]);
    assert_eq!(names(&["s3://reports/fo"]), [""; 0]);
    ground
        .run(["ls", "s3://reports", "--summarize"])
        .expect(0, &["PRE foo/", "7 foo.png", "1 object, 7 bytes"]);
    ground.run(["ls"]).expect(0, &[" reports\n"]);
    assert_eq!(ground.aws(["s3", "ls", "s3://reports", "--recursive"]).lines().count(), 3);

    let get = ground.run(["get", "s3://reports/foo", "back", "--recursive"]);
    assert_eq!((get.code, get.stdout.lines().count()), (0, 2), "{}", get.said());
    assert_eq!(ground.read("back/baz/boo.txt"), "foo/baz/boo.txt");
    ground.run(["mv", "s3://reports/foo/", "s3://reports/new", "--recursive"]).expect(0, &[]);
    assert_eq!(names(&["s3://reports", "--recursive"]).len(), 3);
    assert_eq!(names(&["s3://reports/new/"]), ["new/bar.txt", "new/baz/"]);

    ground.run(["mb", "reports"]).expect(0, &["is there already: s3://reports"]);
    ground.run(["rb", "s3://reports"]).expect(64, &["not done", "--yes"]);
    ground.run(["rb", "s3://reports", "--yes"]).expect(69, &["still holds objects"]);
    ground.run(["rm", "s3://reports/new", "--recursive"]).expect(64, &["not done", "--yes"]);
    ground
        .run(["rm", "s3://reports/new", "--recursive", "--yes"])
        .expect(0, &["deleted 2 objects"]);
    ground.run(["rb", "s3://reports", "--force", "--yes"]).expect(0, &["deleted s3://reports"]);
    ground.run(["exists", "s3://reports"]).expect(69, &[]);
}

#[test]
fn trees_and_buckets_on_the_embedded_aws() {
    trees_and_buckets(&Ground::on(embedded()));
}

#[test]
fn trees_and_buckets_on_ministack() {
    trees_and_buckets(&Ground::on(ministack()));
}

#[test]
fn standard_streams_are_places_too() {
    let ground = Ground::on(embedded());
    let shell = |command: &str| ground.shell(command);
    shell("printf 'caf\\351' | $0 s3 cp - s3://reports/latin").expect(0, &["uploaded - to"]);
    shell("$0 s3 cp s3://reports/latin - | od -An -tx1").expect(0, &["63 61 66 e9"]);
    let text = ground.run(["cat", "s3://reports/latin", "--encoding", "latin1"]);
    assert_eq!(text.stdout, "caf\u{e9}");
    ground
        .run(["cat", "s3://reports/latin", "--encoding", "utf-8"])
        .expect(69, &["s3://reports/latin", "no text in UTF-8"]);
    // More than one part, of unknown length.
    shell("head -c 20000000 /dev/zero | $0 s3 put - s3://reports/large").expect(0, &[]);
    let large = shell("$0 s3 cat s3://reports/large | wc -c");
    assert_eq!(large.stdout.trim(), "20000000", "{}", large.said());
}

#[test]
fn a_reader_who_has_read_enough_is_no_error() {
    let ground = Ground::on(embedded());
    for number in 0..30 {
        ground.write(&format!("tree/{number:02}"), "x");
    }
    ground.run(["cp", "tree", "s3://reports", "--recursive"]).expect(0, &[]);
    ground.shell("head -c 9000000 /dev/zero | $0 s3 cp - s3://reports/large").expect(0, &[]);
    for command in ["ls s3://reports --recursive", "cat s3://reports/large"] {
        let left = ground.shell(&format!(
            "{{ $0 s3 {command}; echo ended with $? >&2; }} | head -c 5 > /dev/null"
        ));
        assert_eq!(left.stderr, "ended with 0\n", "{command}");
    }
    // What was asked for is done all the same: the reader is gone before the first word.
    ground
        .shell(
            "{ until [ -e gone ]; do :; done; $0 s3 mv tree s3://reports/moved --recursive; } \
             | { exec <&-; touch gone; }",
        )
        .expect(0, &[]);
    assert_eq!(ground.told(["ls", "s3://reports/moved/", "--json"]).len(), 30);
    ground
        .shell("$0 s3 cat s3://reports/large > /dev/full")
        .expect(78, &["writing to standard output"]);
}

#[test]
fn downloads_are_cached_when_asked() {
    let ground = Ground::on(embedded());
    ground.write("a", "hello");
    ground.run(["put", "a", "s3://reports/a"]).expect(0, &[]);
    for status in ["written", "hit"] {
        let get = ["get", "s3://reports/a", "b", "--cached", "--cache-directory", "kept", "--json"];
        assert_eq!(ground.told(get)[0]["cache"], status);
        assert_eq!(ground.read("b"), "hello");
    }
    let small = ["get", "s3://reports/a", "b", "--cached", "--cache-limit", "4", "--json"];
    assert_eq!(ground.told(small)[0]["cache"], "neither");
}

#[test]
fn a_cache_that_cannot_be_used_is_told_and_the_object_comes() {
    let ground = Ground::on(embedded());
    ground.write("a", "hello");
    ground.run(["put", "a", "s3://reports/a"]).expect(0, &[]);
    let get = ["s3", "get", "s3://reports/a", "b", "--cached"];
    let unusable = longshore(get).args(&["--cache-directory", "a/kept"]);
    let told = ["the cache a/kept cannot be used: Not a directory", "with --cache-directory"];
    ground.launch(unusable).finish().expect(0, &told);
    assert_eq!(ground.read("b"), "hello");
    fs::remove_file(ground.path("b")).unwrap();
    let homeless = longshore(get).without("HOME");
    let told = ["no directory for a cache", "HOME is set", "with --cache-directory"];
    ground.launch(homeless).finish().expect(0, &told);
    assert_eq!(ground.read("b"), "hello");
}

#[test]
fn an_address_reads_the_object_for_whoever_has_it() {
    let ground = Ground::on(ministack());
    ground.write("a", "hello");
    ground.run(["put", "a", "s3://reports/x/a b"]).expect(0, &[]);
    let url = ground.run(["presign", "s3://reports/x/a b", "--expires-in", "60"]).stdout;
    assert!(url.contains("/reports/x/a%20b?") && url.contains("X-Amz-Expires=60"), "{url}");
    let fetch = program(Path::new("/usr/bin/curl"), ["-sS", url.trim()]).finish();
    assert_eq!(fetch.stdout, "hello", "{}", fetch.said());
    let plain = ground.run(["url", "s3://reports/x/a b"]).stdout;
    assert_eq!(plain.trim(), format!("{}/reports/x/a%20b", ground.server.endpoint()));
    ground.run(["presign", "s3://reports/a", "--expires-in", "604801"]).expect(64, &["604800"]);
}

#[test]
fn a_terminal_sees_how_far_a_transfer_is() {
    let ground = Ground::on(embedded());
    ground.write("large", vec![7; 20_000_000]);
    let binary = env!("CARGO_BIN_EXE_longshore");
    for command in ["cp large s3://reports", "cp s3://reports/large back", "cat s3://reports/large"]
    {
        // A terminal without a name or a width shows nothing.
        let command = format!("export TERM=xterm; stty cols 80; {binary} s3 {command} > /dev/null");
        let shell = program(Path::new("/usr/bin/script"), ["-qec", &command, "/dev/null"]);
        let seen = ground.launch(shell).finish();
        assert_eq!(seen.code, 0, "{}", seen.said());
        let is_shown = seen.stdout.contains("B/s");
        assert_eq!(is_shown, !command.contains("cat"), "{command}: {}", seen.said());
    }
}

#[test]
fn keys_that_lead_out_of_the_directory_are_refused_and_the_others_fetched() {
    let ground = Ground::on(ministack());
    for key in ["in/good", "in/../../evil", "in/also"] {
        let put = ["put", "-", &format!("s3://reports/{key}")];
        ground.launch(longshore(["s3"]).args(&put)).finish().expect(0, &[]);
    }
    let get = ground.run(["get", "s3://reports/in", "deep/back", "--recursive"]);
    let told = ["\"../../evil\" is no path below a directory", "1 of 3 transfers failed"];
    get.expect(69, &told);
    assert!(ground.path("deep/back/good").exists() && ground.path("deep/back/also").exists());
    assert!(!ground.path("evil").exists() && !ground.path("deep/evil").exists());
}

#[test]
fn a_name_that_s3_refuses_without_a_word_is_told_with_its_rule() {
    // ministack takes longer keys than S3 does.
    let ground = Ground::on(embedded());
    ground.write("a", "hello");
    let path = format!("s3://reports/{}", "a/".repeat(512) + "b");
    let rule = "its key has 1025 bytes, S3 takes at most 1024";
    ground.run(["put", "a", &path]).expect(69, &[rule]);
    ground.run(["head", &path]).expect(69, &[]);
    for server in [embedded(), ministack()] {
        let ground = Ground::on(server);
        ground.run(["mb", "s3://My_Bucket"]).expect(69, &["3 to 63 of a-z 0-9 - ."]);
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_done() {
    let ground = Ground::on(embedded());
    ground.write("a", "hello");
    ground.write("tree/b", "hello");
    let refused = |args: &[&str], told: &[&str]| {
        ground.launch(longshore(["s3"]).args(args)).finish().expect(64, told);
    };
    refused(&["cp", "a", "b"], &["neither a nor b is in S3", "s3://BUCKET/KEY"]);
    refused(&["cp", "a", "s3:/reports/a"], &["must begin with \"s3://\""]);
    refused(&["cp", "nothing", "s3://reports"], &["reading nothing", "No such file"]);
    refused(&["cp", "tree", "s3://reports"], &["tree is a directory", "--recursive"]);
    refused(&["cp", "a", "s3://reports", "--recursive"], &["a is no directory"]);
    refused(&["mv", "-", "s3://reports/a"], &["`-`", "name a file"]);
    refused(&["cp", "-", "s3://reports"], &["name the destination in full"]);
    refused(&["mv", "s3://reports/a", "s3://reports/a"], &["s3://reports/a itself"]);
    refused(&["mv", "s3://reports/a", "s3://reports/"], &["s3://reports/a itself"]);
    refused(&["cp", "s3://reports/x", "s3://reports/x/y", "--recursive"], &["itself"]);
    refused(&["cat", "s3://reports"], &["is a bucket", "s3://BUCKET/KEY"]);
    refused(&["rm", "s3://reports"], &["is a bucket"]);
    refused(&["mb", "s3://reports/a"], &["is an object", "write s3://reports"]);
    refused(&["cp", "a", "s3://reports", "--metadata", "x"], &["NAME=VALUE"]);
    refused(&["get", "s3://reports/a", "--cache-limit", "1"], &["--cached"]);
    assert_eq!(ground.run(["ls", "s3://reports"]).stdout, "");
}

#[test]
fn what_is_not_there_or_not_allowed_is_named_with_the_fix() {
    let ground = Ground::on(embedded());
    ground.write("a", "hello");
    for args in [["cat", "s3://reports/none"], ["head", "s3://reports/none"]] {
        ground.run(args).expect(69, &["there is no object s3://reports/none", "check its key"]);
    }
    for args in
        [["ls", "s3://nowhere", ""], ["get", "s3://nowhere/a", "b"], ["put", "a", "s3://nowhere/a"]]
    {
        let args: Vec<&str> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
        let told = ["there is no bucket \"nowhere\"", "longshore s3 mb s3://nowhere"];
        ground.launch(longshore(["s3"]).args(&args)).finish().expect(69, &told);
    }
    let dead = format!("http://127.0.0.1:{}", free_port());
    longshore(["s3", "ls", "s3://reports", "--endpoint-url", &dead])
        .finish()
        .expect(69, &["Connection refused", "check endpoint_url"]);
    let proxy = Proxy::start(&ground.server.endpoint());
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    proxy.on(100, |_| true, Fault::Answer(403, denied.to_owned()));
    longshore(["s3", "cat", "s3://reports/a"])
        .endpoint(&proxy.endpoint())
        .finish()
        .expect(69, &["AccessDenied", "allow s3:GetObject on arn:aws:s3:::reports/a"]);
}

/// Answers everything with the beginning of an object, whose end never comes.
fn endless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut open = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _asked = connection.read(&mut [0; 16_384]).unwrap();
            let head = "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 1000000\r\n\r\n";
            connection.write_all(head.as_bytes()).unwrap();
            connection.write_all(&vec![b'x'; 100_000]).ok();
            open.push(connection);
        }
    });
    endpoint
}

#[test]
fn what_is_interrupted_leaves_no_half_of_a_file() {
    let directory = TempDir::new().unwrap();
    let get = longshore(["s3", "get", "s3://reports/a", "a"]).at(directory.path());
    let mut running = get.endpoint(&endless()).start();
    let files = || fs::read_dir(directory.path()).unwrap().count();
    eventually("its first bytes", PATIENCE, || files() == 1);
    running.interrupt();
    assert_eq!(running.wait(PATIENCE), 75, "{}", running.output());
    assert!(running.output().contains("interrupted; run it again"), "{}", running.output());
    assert_eq!(files(), 0);
}

#[test]
fn a_file_written_to_while_it_is_moved_stays() {
    let ground = Ground::on(embedded());
    ground.write("a", "hello");
    let proxy = Proxy::start(&ground.server.endpoint());
    let gate = Gate::closed();
    proxy.on(1, |seen| seen.operation() == "PutObject", Fault::HoldReply(gate.clone()));
    let mv = longshore(["s3", "mv", "a", "s3://reports/a"]).at(ground.directory.path());
    let mut running = mv.endpoint(&proxy.endpoint()).start();
    eventually("the upload", PATIENCE, || gate.arrived() == 1);
    ground.write("a", "hello again");
    gate.open();
    assert_eq!(running.wait(PATIENCE), 69, "{}", running.output());
    assert!(running.output().contains("was written to while it went"), "{}", running.output());
    assert_eq!(ground.read("a"), "hello again");
}
