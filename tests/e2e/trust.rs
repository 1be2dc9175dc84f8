//! Whom `haul` believes, and what it tells whom: credentials and their end, regions, certificates,
//! proxies, names, clocks, and secrets that nobody may read. It must never pass because a server
//! was kinder than a real one: each case shows that the trouble happened.

mod clocks;
mod credentials;
mod endpoints;
mod giver;
mod hostile;
mod names;
mod profiles;
mod proxies;
mod refused;
mod regions;
mod secrets;
mod tls;
mod vault;
