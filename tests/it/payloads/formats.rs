//! What is written here against what Python itself writes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use longshore::payload::codec;

use crate::support::{PATIENCE, daemon::program, eventually, venv};

/// Each line: a value as compact JSON, and the same in the layout that RelengAPI sends.
const VALUES: &str = "
import base64, json, random, struct
random.seed(7)
def number():
    while True:
        value = struct.unpack('>d', random.randbytes(8))[0]
        if value == value and abs(value) != float('inf'):
            return value
values = [number() for _ in range(2000)]
values += [10.0 ** n for n in range(-30, 31)] + [1.5 * 10.0 ** n for n in range(-30, 31)]
values += [0.0, -0.0, 1e16, 9999999999999998.0, 0.0001, 0.00001, 10 ** 40, -7]
values += [chr(n) for n in range(0xd800)] + [chr(0x10000 + n) for n in range(0, 0xfffff, 997)]
values += [{'\\u00e9': [1.5, None, True, {}], 'z': '', 'a': []}, 'a, b: c', {'k\\\"': '\\\\'}]
for value in values:
    line = json.dumps(value, separators=(',', ':'), ensure_ascii=False)
    wire = base64.b64encode(json.dumps(value).encode()).decode()
    print(base64.b64encode(line.encode()).decode(), wire)
print('end')
";

#[test]
fn r1_python_itself_writes_the_same_bytes() {
    let mut python = program(&venv("python"), ["-c", VALUES]).start();
    assert_eq!(python.wait(PATIENCE), 0, "{}", python.output());
    eventually("all values", PATIENCE, || {
        python.stdout.all().last().is_some_and(|line| line == "end")
    });
    let lines = python.stdout.all();
    assert!(lines.len() > 57_000, "{}", lines.len());
    for line in lines.iter().filter(|line| *line != "end") {
        let (json, wire) = line.split_once(' ').unwrap();
        let json = String::from_utf8(BASE64_STANDARD.decode(json).unwrap()).unwrap();
        assert_eq!(codec::relengapi_of_json(&json).unwrap().body, wire, "{json}");
    }
}
