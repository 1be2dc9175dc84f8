//! Which object a row names, by its columns and by what they are joined to. A row may name it more
//! than once: of two names that are not the same, none is passed over in silence.

use std::path::Path;

use super::manifest::Row;
use super::uploads::below;
use crate::domain::escape::Escaped;
use crate::domain::location::{Bucket, Key, ObjectName, S3Uri, without_signature};
use crate::domain::naming::Naming;
use crate::domain::relative_path::RelativePath;

/// The object that a row names, and what it is called below the base.
pub(super) fn remote_source(
    row: &Row,
    base: Option<&S3Uri>,
) -> Result<(ObjectName, String), String> {
    let text = match (&row.source, &row.bucket, &row.key) {
        (source, Some(bucket), Some(key)) => {
            let object = ObjectName::new(
                Bucket::new(bucket).map_err(|error| error.to_string())?,
                Key::new(key).map_err(|error| error.to_string())?,
            );
            check_name(source.as_deref(), &object, base, "")?;
            return Ok((object, relative_to(base, bucket, key)));
        }
        (Some(source), bucket, key) => {
            let named = named_source(source, base_of(bucket.as_deref(), source, base)?.as_ref())?;
            // A URI in that column is one more name, too.
            check_name(key.as_deref(), &named.0, base, "")?;
            return Ok(named);
        }
        (None, _, None) => return Err("it has no source".to_owned()),
        (None, _, Some(key)) => key,
    };
    named_source(text, base)
}

fn named_source(text: &str, base: Option<&S3Uri>) -> Result<(ObjectName, String), String> {
    if text.starts_with(S3Uri::SCHEME) {
        let uri = S3Uri::parse(text).map_err(|error| error.to_string())?;
        let object = uri.object().map_err(|error| error.to_string())?;
        let relative = relative_to(base, uri.bucket.as_str(), &uri.rest);
        return Ok((object, relative));
    }
    let Some(base) = base else {
        return Err(format!(
            "`{}` is a key without a bucket; give s3://bucket/ as the source",
            Escaped(without_signature(text))
        ));
    };
    let object = below(&base.bucket, &base.rest, text).map_err(|error| error.to_string())?;
    Ok((object, text.to_owned()))
}

/// The object that a row makes of another one. Where it does not say, it is called below the target
/// what its source is called below the base.
pub(super) fn copied_to(
    row: &Row,
    (source, relative): (&ObjectName, &str),
    target: Option<&S3Uri>,
) -> Result<ObjectName, String> {
    let given = row.destination.as_deref().or(row.path.as_deref());
    let name = match given {
        Some(name) if name.starts_with(S3Uri::SCHEME) => {
            let uri = S3Uri::parse(name).map_err(|error| error.to_string())?;
            let file = if uri.is_prefix() { source.key.file_name() } else { "" };
            return below(&uri.bucket, &uri.rest, file).map_err(|error| error.to_string());
        }
        Some(folder) if folder.ends_with('/') => format!("{folder}{}", source.key.file_name()),
        Some(name) => name.to_owned(),
        None => relative.to_owned(),
    };
    let Some(target) = target else {
        return Err(format!(
            "`{}` is a key without a bucket; give s3://bucket/ as the destination",
            Escaped(&name)
        ));
    };
    below(&target.bucket, &target.rest, &name).map_err(|error| error.to_string())
}

/// The object that a row makes of the file at `path`.
pub(super) fn remote_destination(
    row: &Row,
    path: &str,
    (base, naming): (Option<&S3Uri>, Naming),
) -> Result<ObjectName, String> {
    let file = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let file = &*naming.name(file).map_err(|error| error.to_string())?;
    if let (Some(bucket), Some(key)) = (&row.bucket, &row.key) {
        let bucket = Bucket::new(bucket).map_err(|error| error.to_string())?;
        let object = below(&bucket, "", key).map_err(|error| error.to_string())?;
        check_name(row.destination.as_deref(), &object, base, file)?;
        return Ok(object);
    }
    let key = row.key.as_deref().filter(|key| *key != path);
    let given = match &row.destination {
        // Below that one, under its own name. Keys are literal.
        Some(folder) if folder.ends_with('/') => Some(format!("{folder}{file}")),
        given => given.clone().or_else(|| key.map(str::to_owned)),
    };
    let given = given.as_deref();
    let base = base_of(row.bucket.as_deref(), given.unwrap_or(path), base)?;
    let object = named_destination(given, (path, file), (base.as_ref(), naming))?;
    check_name(key, &object, base.as_ref(), file)?;
    Ok(object)
}

/// Under the name that is given, or under its own.
fn named_destination(
    given: Option<&str>,
    (path, file): (&str, &str),
    (base, naming): (Option<&S3Uri>, Naming),
) -> Result<ObjectName, String> {
    let name = given.unwrap_or(path);
    if name.starts_with(S3Uri::SCHEME) {
        let uri = S3Uri::parse(name).map_err(|error| error.to_string())?;
        let rest = if uri.is_prefix() { file } else { "" };
        return below(&uri.bucket, &uri.rest, rest).map_err(|error| error.to_string());
    }
    let Some(base) = base else {
        return Err(format!(
            "`{}` is a key without a bucket; give s3://bucket/ as the destination",
            Escaped(without_signature(name))
        ));
    };
    let key = if let Some(key) = given {
        key.to_owned()
    } else {
        // The path below the base; `..` would make a key that leads out when it is downloaded.
        let path = RelativePath::new(path.trim_start_matches('/'));
        let path = path.map_err(|error| error.to_string())?;
        naming.name(path.as_str()).map_err(|error| error.to_string())?.into_owned()
    };
    below(&base.bucket, &base.rest, &key).map_err(|error| error.to_string())
}

/// Requires another name of a row to be one of the same object: none is passed over in silence.
/// `file` is what stands for one that ends in a slash.
fn check_name(
    name: Option<&str>,
    object: &ObjectName,
    base: Option<&S3Uri>,
    file: &str,
) -> Result<(), String> {
    let Some(name) = name else { return Ok(()) };
    let key = object.key.as_str();
    let is_key = |text: &str| text == key || text.ends_with('/') && key == format!("{text}{file}");
    let is_same = if name.starts_with(S3Uri::SCHEME) {
        let uri = S3Uri::parse(name).map_err(|error| error.to_string())?;
        let is_bucket = uri.rest.is_empty() && key == file;
        uri.bucket == object.bucket && (is_bucket || is_key(&uri.rest))
    } else {
        let below = base.filter(|base| base.bucket == object.bucket);
        is_key(name) || below.is_some_and(|base| is_key(&format!("{}{name}", base.rest)))
    };
    if is_same {
        return Ok(());
    }
    Err(format!("it names two objects, `{}` and {object}", Escaped(without_signature(name))))
}

/// What a name is below in a row that has a bucket of its own, and no key in it.
fn base_of(
    bucket: Option<&str>,
    name: &str,
    base: Option<&S3Uri>,
) -> Result<Option<S3Uri>, String> {
    let Some(bucket) = bucket else { return Ok(base.cloned()) };
    let bucket = Bucket::new(bucket).map_err(|error| error.to_string())?;
    let named = match name.strip_prefix(S3Uri::SCHEME) {
        Some(_) => Some(S3Uri::parse(name).map_err(|error| error.to_string())?.bucket),
        None => base.map(|base| base.bucket.clone()),
    };
    match named {
        Some(other) if other != bucket => {
            Err(format!("its bucket is {bucket}, and `{}` is in {other}", Escaped(name)))
        }
        Some(_) => Ok(base.cloned()),
        None => Ok(Some(S3Uri { bucket, rest: String::new() })),
    }
}

/// The key below the base, or all of it where the base does not hold it.
fn relative_to(base: Option<&S3Uri>, bucket: &str, key: &str) -> String {
    let below = base
        .filter(|base| base.bucket.as_str() == bucket)
        .and_then(|base| key.strip_prefix(&base.rest));
    below.filter(|below| !below.is_empty()).unwrap_or(key).to_owned()
}
