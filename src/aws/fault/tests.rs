use super::*;

#[test]
fn codes_of_both_protocols_mean_the_same() {
    for code in [
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "com.amazonaws.sqs#QueueDoesNotExist",
    ] {
        assert_eq!(of_code(code), Some(Kind::Missing), "{code}");
    }
    for (code, kind) in [
        ("ParameterNotFound", Kind::Missing),
        ("ParameterAlreadyExists", Kind::Conflict),
        ("InvalidKeyId", Kind::Denied),
        ("InvalidSignatureException", Kind::Credentials),
        // Somebody else writes the same item: no fault of ours, and never *reject*.
        ("TransactionConflictException", Kind::Transient),
        ("ReplicatedWriteConflictException", Kind::Transient),
        ("LimitExceededException", Kind::Throttled),
    ] {
        assert_eq!(of_code(code), Some(kind), "{code}");
    }
    assert_eq!(of_code("SomethingNew"), None);
}

#[test]
fn a_request_that_an_error_shows_is_cut_off() {
    let shown = "failed to apply endpoint `nonsense` to request `Request { body: SdkBody { \
                 inner: Once(Some(b\"{\\\"MessageBody\\\":\\\"sesame\\\"}\")) } }`";
    assert_eq!(without_request(shown), "failed to apply endpoint `nonsense` to request");
    assert_eq!(
        without_request("connection refused (os error 111"),
        "connection refused (os error 111"
    );
}

#[test]
fn a_chain_of_causes_is_told_in_words_on_one_line() {
    let chain = "no credentials found in chain. Attempted:\n  Environment: the credential \
                 provider was not enabled: environment variable not set\n  Profile: the \
                 profile `x` was not defined";
    let told = "no credentials found in chain. Attempted: Profile: the profile `x` was not \
                defined";
    assert_eq!(on_one_line(chain), told);
    let nowhere = chain.lines().take(2).collect::<Vec<_>>().join("\n");
    assert_eq!(on_one_line(&nowhere), "no credentials found");

    let refused = std::io::Error::from_raw_os_error(111);
    let connect = Error::new(Kind::Unreachable, "connecting").because(refused);
    let other = std::io::Error::other(connect);
    let outer = Error::new(Kind::Unreachable, "dispatch failure").because(other);
    assert_eq!(causes(&outer), "connecting: Connection refused (os error 111)");
}

#[test]
fn a_key_that_cannot_be_used_is_no_fault_of_the_object() {
    for (code, kind) in [
        ("KMS.DisabledException", Kind::Denied),
        ("KMS.NotFoundException", Kind::Denied),
        ("KMS.KMSInvalidStateException", Kind::Denied),
        ("KMS.ThrottlingException", Kind::Throttled),
        ("KMS.KMSInternalException", Kind::Transient),
        ("KMS.DependencyTimeoutException", Kind::Transient),
        ("KmsDisabled", Kind::Denied),
        ("com.amazonaws.sqs#KmsAccessDenied", Kind::Denied),
        ("KmsThrottled", Kind::Throttled),
    ] {
        assert_eq!(of_code(code), Some(kind), "{code}");
    }
}

#[test]
fn an_unknown_code_is_judged_by_its_status() {
    assert_eq!(of_status(403), Kind::Denied);
    assert_eq!(of_status(400), Kind::Invalid);
    assert_eq!(of_status(405), Kind::Denied);
    assert_eq!(of_status(503), Kind::Transient);
}

#[test]
fn an_entry_that_is_not_our_fault_may_be_sent_again() {
    assert_eq!(entry_kind("InternalError", false), Kind::Transient);
    assert_eq!(entry_kind("ReceiptHandleIsInvalid", true), Kind::Invalid);
    assert_eq!(entry_kind("Odd", false), Kind::Transient);
}
