// Runs before the app and without it: an import error would else leave a white page with no word.
(function () {
  var root = document.documentElement;
  try {
    var look = JSON.parse(localStorage.getItem('hearth.look') || '{}');
    if (look.theme === 'light' || look.theme === 'dark') root.dataset.theme = look.theme;
    if (look.contrast === 'more' || look.contrast === 'normal') root.dataset.contrast = look.contrast;
  } catch (ignored) {
    // Storage may be closed to us; the system's theme is right then.
  }
  function reveal(what) {
    var block = document.getElementById('failed');
    if (!block) return;
    var details = document.getElementById('failed-details');
    details.textContent += String(what) + '\n';
    block.hidden = false;
    document.getElementById('failed-reload').onclick = function () {
      location.reload();
    };
  }
  function onError(event) {
    var target = event.target;
    if (target && target !== window && (target.src || target.href)) reveal('did not load: ' + (target.src || target.href));
    else reveal((event.error && event.error.stack) || event.message);
  }
  function onRejection(event) {
    reveal((event.reason && event.reason.stack) || event.reason);
  }
  window.addEventListener('error', onError, true);
  window.addEventListener('unhandledrejection', onRejection);
  // The app calls this once it stands: from then on it reports its own errors.
  window.hearthStarted = function () {
    window.removeEventListener('error', onError, true);
    window.removeEventListener('unhandledrejection', onRejection);
    var block = document.getElementById('failed');
    if (block) block.remove();
  };
})();
