//! Headers of a reply that are there twice. The SDK takes such a reply for broken; SeaweedFS says of
//! each object under a customer's key twice which key that is.

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::http::Headers;

const KEY_DIGEST: &str = "x-amz-server-side-encryption-customer-key-md5";

/// Lets what is said twice be said once. What contradicts itself stays as it is.
#[derive(Debug)]
pub(super) struct SaidOnce;

impl Intercept for SaidOnce {
    fn name(&self) -> &'static str {
        "SaidOnce"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        say_once(context.response_mut().headers_mut());
        Ok(())
    }
}

fn say_once(headers: &mut Headers) {
    let values: Vec<_> = headers.get_all(KEY_DIGEST).collect();
    let [first, others @ ..] = values.as_slice() else { return };
    if !others.is_empty() && others.iter().all(|other| other == first) {
        let once = (*first).to_owned();
        headers.insert(KEY_DIGEST, once);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_same_is_one() {
        for (values, left) in [
            (["a", "a", "a"].as_slice(), ["a"].as_slice()),
            (&["a"], &["a"]),
            (&[], &[]),
            (&["a", "b"], &["a", "b"]),
        ] {
            let mut headers = Headers::new();
            for value in values {
                headers.append(KEY_DIGEST, *value);
            }
            say_once(&mut headers);
            assert_eq!(headers.get_all(KEY_DIGEST).collect::<Vec<_>>(), left);
        }
    }
}
