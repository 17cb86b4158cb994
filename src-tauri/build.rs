//! Lets the Tauri build script read `tauri.conf.json` in desktop builds.
fn main() {
    #[cfg(feature = "desktop")]
    tauri_build::build();
}
