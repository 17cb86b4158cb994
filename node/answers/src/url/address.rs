//! The address of a server, as a person writes it.

use url::Url;

/// Reads the address of a server.
///
/// # Errors
/// What is wrong with it and how it should be written.
pub fn check_address(text: &str) -> Result<Url, String> {
    if !text.contains("://") {
        return Err(format!(
            "\"{text}\" does not say how the server is spoken to: write http://{text}"
        ));
    }
    let url = Url::parse(text)
        .map_err(|error| format!("\"{text}\" is no address ({error}): write it as http://localhost:11434"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!(
            "\"{text}\" is no address of a web server: write it as http://localhost:11434"
        ));
    }
    let path = url.path().trim_end_matches('/');
    let routes = ["/chat/completions", "/completions", "/embeddings", "/models"];
    if let Some(root) = routes.iter().find_map(|route| path.strip_suffix(route)) {
        let mut right = url.clone();
        right.set_path(root);
        right.set_query(None);
        return Err(format!(
            "\"{text}\" is one route of the server: write the address before it, {right}"
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("\"{text}\" has more than an address: leave out ? and #"));
    }
    Ok(url)
}
