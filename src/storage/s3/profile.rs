//! A profile that was named on the command line. Who types one means that account: its keys and its
//! region go before those of the environment, as in every AWS tool. It must never fall back to the
//! environment's keys: a copy would go to another account, and look as if all were well.

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{self, ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::os_shim_internal::{Env, Fs};

use super::connect::ConnectError;

/// Refuses a name that no file has.
#[expect(
    clippy::default_trait_access,
    reason = "the type has a name only in a crate that nothing else here needs"
)]
pub(super) async fn check(name: &str) -> Result<(), ConnectError> {
    let (fs, env) = (Fs::default(), Env::default());
    let known = profile::load(&fs, &env, &Default::default(), None).await;
    let known = known.map_err(|error| ConnectError::Profiles(Box::new(error)))?;
    match known.get_profile(name) {
        Some(_) => Ok(()),
        None => Err(ConnectError::NoProfile(name.to_owned())),
    }
}

/// The profile's region; one that names none leaves it to the environment.
pub(super) fn region(name: &str, client: SharedHttpClient) -> RegionProviderChain {
    let config = ProviderConfig::without_region().with_http_client(client);
    let own = ProfileFileRegionProvider::builder().configure(&config).profile_name(name).build();
    let machine = ImdsRegionProvider::builder().configure(&config).build();
    RegionProviderChain::first_try(own)
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(machine)
}

/// The profile's credentials; one that names none leaves it to the machine. `shared` says where
/// those who give them are.
pub(super) fn credentials(
    name: &str,
    shared: &SdkConfig,
    client: SharedHttpClient,
) -> SharedCredentialsProvider {
    let config = ProviderConfig::without_region()
        .with_region(shared.region().cloned())
        .with_use_fips(shared.use_fips())
        .with_use_dual_stack(shared.use_dual_stack())
        .with_http_client(client);
    let own = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name);
    let container = EcsCredentialsProvider::builder().configure(&config);
    let machine = ImdsCredentialsProvider::builder().configure(&config);
    SharedCredentialsProvider::new(
        CredentialsProviderChain::first_try("Profile", own.build())
            .or_else("EcsContainer", container.build())
            .or_else("Ec2InstanceMetadata", machine.build()),
    )
}
