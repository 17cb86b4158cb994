/// <reference types="vitest/config" />
import { readdirSync, rmSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig, type Plugin } from 'vite';

/** Empties dist but for the committed placeholder, without which the program would not build where Node is missing. */
function emptyDist(): Plugin {
  return {
    name: 'empty-dist',
    apply: 'build',
    buildStart() {
      try {
        for (const name of readdirSync('dist')) if (name !== 'placeholder.html') rmSync(`dist/${name}`, { recursive: true });
      } catch {
        // There is no dist yet.
      }
    },
  };
}

export default defineConfig({
  // Messages are compiled by `npm run i18n` before every build, check and test; a plugin would do it a second time.
  plugins: [
    emptyDist(),
    tailwindcss(),
    svelte(),
    svelteTesting(),
  ],
  resolve: { alias: { $lib: '/src/lib', $components: '/src/components' } },
  build: {
    target: ['chrome111', 'safari16.4', 'firefox128'],
    emptyOutDir: false,
    chunkSizeWarningLimit: 400,
    reportCompressedSize: false,
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['./src/test-setup.ts'],
    testTimeout: 60_000, // another build may run beside it
    include: ['src/**/*.test.ts'],
  },
});
