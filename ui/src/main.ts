import './styles/app.css';
import { mount } from 'svelte';
import App from './App.svelte';

declare global {
  interface Window {
    hearthStarted?: () => void;
  }
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target });
window.hearthStarted?.();
