//! The tray: what earning does, Start, Stop, Open, Quit. It asks the API, as the command line does.

use std::{sync::Arc, time::Duration};

use hearth_node::control::{Earning, EarningState, Status};
use tauri::{
    AppHandle, Manager as _, Wry,
    image::Image,
    menu::{Menu, MenuItem, PredefinedMenuItem},
    tray::{TrayIcon, TrayIconBuilder},
};

use super::{Session, WINDOW, show};

const TRAY: &str = "tray";
/// How often the tray looks at the state.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const FLAME: &[u8] = include_bytes!("../../../assets/icons/tray.png");
const NO_FLAME: &[u8] = include_bytes!("../../../assets/icons/tray-off.png");

/// Puts the icon into the tray where there is one. Without one the window works all the same.
pub(super) fn build(app: &AppHandle, session: &Arc<Session>) {
    match try_build(app, session) {
        Ok(()) => {}
        Err(error) => tracing::info!(%error, "no tray here; closing the window ends the program"),
    }
}

/// Whether there is a tray to come back from.
pub(super) fn is_there(app: &AppHandle) -> bool {
    app.tray_by_id(TRAY).is_some()
}

struct Items {
    state: MenuItem<Wry>,
    start: MenuItem<Wry>,
    stop: MenuItem<Wry>,
}

fn try_build(app: &AppHandle, session: &Arc<Session>) -> tauri::Result<()> {
    if !host_is_running() {
        return Ok(());
    }
    let items = Items {
        state: MenuItem::with_id(app, "state", "Hearth", false, None::<&str>)?,
        start: MenuItem::with_id(app, "start", "Start earning", true, None::<&str>)?,
        stop: MenuItem::with_id(app, "stop", "Stop earning", false, None::<&str>)?,
    };
    let open = MenuItem::with_id(app, "open", "Open Hearth", true, None::<&str>)?;
    let quit = MenuItem::with_id(app, "quit", "Quit", true, None::<&str>)?;
    let line = PredefinedMenuItem::separator(app)?;
    let menu = Menu::with_items(
        app,
        &[
            &items.state,
            &line,
            &items.start,
            &items.stop,
            &line,
            &open,
            &quit,
        ],
    )?;
    let clicked = Arc::clone(session);
    let tray = TrayIconBuilder::with_id(TRAY)
        .icon(Image::from_bytes(NO_FLAME)?)
        .icon_as_template(true)
        .tooltip("Hearth")
        .menu(&menu)
        .on_menu_event(move |app, event| click(app, &clicked, event.id().as_ref()))
        .build(app)?;
    let looking = Arc::clone(session);
    session
        .runtime
        .spawn(async move { look(&looking, &items, &tray).await });
    Ok(())
}

/// A tray icon on a system without a host for it would be a window that cannot come back.
#[cfg(target_os = "linux")]
fn host_is_running() -> bool {
    std::process::Command::new("dbus-send")
        .args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/org/freedesktop/DBus",
        ])
        .args([
            "org.freedesktop.DBus.NameHasOwner",
            "string:org.kde.StatusNotifierWatcher",
        ])
        .output()
        .is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).contains("boolean true"))
}

#[cfg(not(target_os = "linux"))]
fn host_is_running() -> bool {
    true
}

fn click(app: &AppHandle, session: &Arc<Session>, id: &str) {
    match id {
        "open" => {
            if let Some(window) = app.get_webview_window(WINDOW) {
                show(&window);
            }
        }
        "quit" if session.may_quit(app) => app.exit(0),
        "start" | "stop" => {
            let session = Arc::clone(session);
            let path = format!("/earning/{id}");
            session.runtime.clone().spawn(async move {
                if let Err(error) = session.client.post_empty::<Earning>(&path).await {
                    tracing::warn!(%error, "earning did not change");
                }
            });
        }
        _ => {}
    }
}

/// Keeps words and icon true.
async fn look(session: &Session, items: &Items, tray: &TrayIcon) {
    let mut shown = None;
    loop {
        if let Ok(status) = session.client.get::<Status>("/status").await {
            let earning = status.earning;
            let state = (earning.state, earning.serving, earning.reasons.len());
            if shown != Some(state) {
                draw(items, tray, &earning);
                shown = Some(state);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn draw(items: &Items, tray: &TrayIcon, earning: &Earning) {
    let is_off = matches!(earning.state, EarningState::Off);
    let is_burning = matches!(earning.state, EarningState::Idle | EarningState::Serving);
    let words = crate::cli::earning_words(earning);
    // A menu that cannot be changed any more belongs to a program that is ending.
    let _ = items.state.set_text(&words);
    let _ = items.start.set_enabled(is_off && earning.reasons.is_empty());
    let _ = items.stop.set_enabled(!is_off);
    let _ = tray.set_tooltip(Some(format!("Hearth: {words}")));
    if let Ok(icon) = Image::from_bytes(if is_burning { FLAME } else { NO_FLAME }) {
        let _ = tray.set_icon(Some(icon));
    }
}
