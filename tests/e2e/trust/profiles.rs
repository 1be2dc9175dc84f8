//! A profile that was typed: its keys and its region are used, whatever the environment holds.

use testbed::Testbed;

use crate::harness::{Haul, Output, Sandbox, haul};
use crate::stage::BUCKET;

const CONFIG: &str = "[profile work]\nregion = eu-west-1\naws_access_key_id = WORK\n\
    aws_secret_access_key = SECRET\n\n[profile bare]\nregion = eu-west-1\n\n\
    [profile homeless]\naws_access_key_id = WORK\naws_secret_access_key = SECRET\n";

struct Office {
    testbed: Testbed,
    sandbox: Sandbox,
}

impl Office {
    fn new() -> Self {
        let builder = Testbed::builder().region("eu-west-1").credentials("WORK", "SECRET");
        let testbed = builder.spawn().expect("a testbed");
        testbed.add_credentials("HOME", "SECRET");
        testbed.create_bucket(BUCKET);
        testbed.put_object(BUCKET, "k", "bytes");
        let sandbox = Sandbox::new();
        sandbox.write("config", CONFIG);
        Self { testbed, sandbox }
    }

    /// A command whose environment has keys and a region of its own.
    fn haul(&self) -> Haul {
        haul()
            .env("AWS_ENDPOINT_URL", self.testbed.endpoint())
            .env("AWS_CONFIG_FILE", self.sandbox.path("config"))
            .env("AWS_ACCESS_KEY_ID", "HOME")
            .env("AWS_SECRET_ACCESS_KEY", "SECRET")
            .env("AWS_REGION", "us-east-1")
            .current_dir(self.sandbox.path(""))
    }

    fn download(&self, profile: &str, more: &[&str]) -> Output {
        let args = ["download", "s3://bucket/k", "out", "--profile", profile];
        self.haul().args(args).args(more).run()
    }

    /// Key and region that the first request was signed with.
    fn signed_with(&self) -> (String, String) {
        let requests = self.testbed.requests();
        let first = requests.first().expect("a request");
        let signed = first.header("authorization").expect("a signature");
        let (_, scope) = signed.split_once("Credential=").expect("credentials");
        let words: Vec<_> = scope.split('/').collect();
        (words[0].to_owned(), words[2].to_owned())
    }
}

#[test]
fn a_typed_profile_goes_before_keys_and_region_of_the_environment() {
    let office = Office::new();
    office.download("work", &[]).code(0);
    assert_eq!(office.signed_with(), ("WORK".to_owned(), "eu-west-1".to_owned()));
}

#[test]
fn a_profile_of_the_environment_goes_behind_its_keys() {
    let office = Office::new();
    let command = office.haul().env("AWS_PROFILE", "work");
    command.args(["download", "s3://bucket/k", "out"]).run().code(0);
    assert_eq!(office.signed_with(), ("HOME".to_owned(), "us-east-1".to_owned()));
}

#[test]
fn a_typed_region_goes_before_that_of_a_typed_profile() {
    let office = Office::new();
    office.download("work", &["--region", "us-east-1"]).code(0);
    assert_eq!(office.signed_with(), ("WORK".to_owned(), "us-east-1".to_owned()));
}

#[test]
fn a_typed_profile_without_a_region_takes_that_of_the_environment() {
    let office = Office::new();
    office.download("homeless", &[]).code(0);
    assert_eq!(office.signed_with(), ("WORK".to_owned(), "us-east-1".to_owned()));
}

#[test]
fn a_typed_profile_without_keys_never_takes_those_of_the_environment() {
    let office = Office::new();
    office.download("bare", &[]).code(1).stderr_has("no usable credentials");
    assert_eq!(office.testbed.totals().requests, 0, "it went to another account");
}

#[test]
fn a_profile_that_no_file_has_is_wrong_usage() {
    let office = Office::new();
    for more in [[].as_slice(), &["--no-sign-request"], &["--dry-run"]] {
        let output = office.download("nope", more);
        output.code(2).stderr_has("there is no profile `nope`");
    }
    assert_eq!(office.testbed.totals().requests, 0);
}
