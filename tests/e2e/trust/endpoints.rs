//! Which server is talked to, of the several that the environment and the files may name.

use testbed::Testbed;

use crate::harness::{Haul, haul};
use crate::stage::Stage;

/// A command that has its credentials and its region, and no endpoint.
fn homeless(stage: &Stage) -> Haul {
    let rest = stage.testbed.env().into_iter().filter(|(name, _)| name != "AWS_ENDPOINT_URL");
    haul().envs(rest).current_dir(stage.sandbox.path(""))
}

#[test]
fn the_endpoint_for_s3_goes_before_the_one_for_all_services() {
    let (stage, other) = (Stage::with_keys(&["a"]), Testbed::spawn());
    let download = ["download", "s3://bucket/a", "out"];
    let command = homeless(&stage).env("AWS_ENDPOINT_URL", other.endpoint());
    command.env("AWS_ENDPOINT_URL_S3", stage.testbed.endpoint()).args(download).run().code(0);
    assert_eq!(stage.text("out"), "a");
    assert_eq!(other.totals().requests, 0, "a stranger was asked");
}

#[test]
fn the_endpoint_for_s3_is_one_of_ones_own() {
    let stage = Stage::with_keys(&["a"]);
    // By name: with the bucket in front of it, it would be another host.
    let named = format!("http://localhost:{}", stage.testbed.port());
    let config = format!(
        "[default]\nservices = here\nendpoint_url = http://127.0.0.1:1\n\n[services here]\ns3 =\n  \
         endpoint_url = {named}\n"
    );
    let config = stage.sandbox.write("config", config);
    let download = ["download", "s3://bucket/a", "--overwrite", "always"];
    for (variable, value) in
        [("AWS_ENDPOINT_URL_S3", named.as_str()), ("AWS_CONFIG_FILE", &config.to_string_lossy())]
    {
        homeless(&stage).env(variable, value).args(download).arg("out").run().code(0);
        assert_eq!(stage.text("out"), "a");
    }
    let requests = stage.testbed.requests();
    assert!(requests.iter().all(|request| request.path.starts_with("/bucket/")), "{requests:?}");
}

#[test]
fn an_endpoint_with_a_password_is_refused_wherever_it_comes_from() {
    let stage = Stage::new();
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        let secret = format!("http://user:hush@127.0.0.1:{}", stage.testbed.port());
        let output = homeless(&stage).env(variable, secret).args(["ls", "s3://bucket/"]).run();
        output.code(2).stderr_has("no password").stderr_lacks("hush");
    }
    assert_eq!(stage.testbed.totals().requests, 0);
}

#[test]
fn an_endpoint_that_is_empty_is_none() {
    let stage = Stage::with_keys(&["a"]);
    let command = homeless(&stage).env("AWS_ENDPOINT_URL", stage.testbed.endpoint());
    let command = command.env("AWS_ENDPOINT_URL_S3", "").args(["download", "s3://bucket/a", "out"]);
    command.run().code(0);
    assert_eq!(stage.text("out"), "a");
}

#[test]
fn options_that_fit_no_host_are_wrong_usage() {
    let stage = Stage::with_keys(&["a"]);
    let download = ["download", "s3://bucket/a", "out"];
    let query = format!("{}/?hush=hush", stage.testbed.endpoint());
    for args in [
        ["--fips"].as_slice(),
        &["--dualstack"],
        &["--accelerate"],
        &["--endpoint-url", &query],
        &["--endpoint-url", "http://no host"],
    ] {
        let output = stage.haul().args(download).args(args).run();
        output.code(2).stderr_lacks("next:").stderr_lacks("hush");
    }
    for variable in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
        stage.haul().env(variable, "true").args(download).run().code(2);
    }
    let command = homeless(&stage).args(download).args(["--accelerate", "--addressing-style"]);
    command.arg("path").run().code(2).stderr_has("these options fit no host");
    assert_eq!(stage.testbed.totals().requests, 0);
}
