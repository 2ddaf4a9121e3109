use std::time::Duration;

use super::*;
use crate::toolkit::s3::Path;

fn facts(key: &str) -> Facts {
    Facts {
        path: Path::new("reports", key),
        url: String::new(),
        size: 11,
        modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)),
        etag: Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3\"".to_owned()),
        crc64nvme: None,
        sha512: None,
        content_type: None,
        storage_class: None,
        kms_key: None,
        metadata: std::collections::BTreeMap::new(),
    }
}

#[test]
fn what_has_a_checksum_goes_by_it_wherever_it_lies() {
    let told: [fn(&mut Facts); 2] = [
        |facts| facts.crc64nvme = Some("jSnVw/bqjr4=".to_owned()),
        |facts| facts.sha512 = Some("309ecc48".to_owned()),
    ];
    for tell in told {
        let (mut one, mut two) = (facts("one"), facts("two"));
        tell(&mut one);
        tell(&mut two);
        two.modified = None;
        assert_eq!(name(&one), name(&two));
        // A CRC is soon forged; the tag, the MD5 of most objects, is not with it.
        two.etag = Some("\"another\"".to_owned());
        assert_ne!(name(&one), name(&two));
    }
    let mut one = facts("one");
    one.crc64nvme = Some("jSnVw/bqjr4=".to_owned());
    let crc = 0x8d29_d5c3_f6ea_8ebe;
    assert_eq!(wanted("name", &one).crc, Some(crc));
}

#[test]
fn what_has_none_goes_by_its_place_and_time() {
    let one = facts("one");
    assert_eq!(name(&one), name(&one.clone()));
    assert_eq!(name(&one).len(), 64);
    let others: [fn(&mut Facts); 5] = [
        |facts| facts.path.key = "two".to_owned(),
        |facts| facts.path.bucket = "others".to_owned(),
        |facts| facts.size = 12,
        |facts| facts.modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_001)),
        |facts| facts.etag = None,
    ];
    for change in others {
        let mut other = facts("one");
        change(&mut other);
        assert_ne!(name(&one), name(&other));
    }
    assert_eq!(wanted("name", &one).crc, None);
}
