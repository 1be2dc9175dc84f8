//! When two addresses that were typed are one server's. Pure.

/// Whether both name one server: the case of scheme and host, a port that is the scheme's own, who
/// asks and the slash at the end make no difference. Two that differ may be one all the same, by
/// another name.
pub fn is_same(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

fn normal(endpoint: &str) -> (String, String) {
    let (scheme, rest) = endpoint.trim().split_once("://").unwrap_or(("", endpoint));
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase();
    let port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = host.strip_suffix(port).unwrap_or(&host).trim_end_matches('.').to_owned();
    (format!("{scheme}://{host}"), path.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_is_written_in_many_ways() {
        for other in [
            "http://store.example/",
            "http://store.example:80",
            "HTTP://Store.Example:80//",
            "http://user:word@store.example",
            "http://store.example./",
        ] {
            assert!(is_same("http://store.example", other), "{other}");
        }
        assert!(is_same("https://h:443/base/", "https://h/base"));
        assert!(is_same("http://[::1]:80/", "http://[::1]"));
        for other in [
            "https://store.example",
            "http://store.example:443",
            "http://store.example:8080",
            "http://store.example/base",
            "http://store",
            "S3",
            "",
        ] {
            assert!(!is_same("http://store.example", other), "{other}");
        }
        assert!(is_same("S3", "S3") && !is_same("http://h/A", "http://h/a"));
    }
}
