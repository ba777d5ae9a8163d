// Installs the packages of a Node.js application with npm:
//   node install_node.js --env DIR --source DIR
// The source has package.json and package-lock.json; DIR is empty, or is made, and gets node_modules. Exactly what the lock
// says is installed, without what only developing needs. Scripts of packages are run, because native packages are built by
// them; those of the application itself are not, because its files are not here. Node.js 14 or later.

'use strict';

const { spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

// What npm reads of an application's package.json to see that the lock is its own.
const READ = [
  'name', 'version', 'dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies',
  'peerDependenciesMeta', 'bundleDependencies', 'bundledDependencies', 'overrides', 'allowScripts', 'engines', 'os',
  'cpu',
];

class Failure extends Error {
  constructor(text, code = 1) {
    super(text);
    this.code = code;
  }
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function readOptions(words) {
  const options = { env: null, source: null };
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at].replace(/^--/, '');
    if (!words[at].startsWith('--') || !(name in options)) {
      throw new Failure(`unknown option '${words[at]}'; known are --env, --source.`);
    }
    if (words[at + 1] === undefined) throw new Failure(`option '--${name}' needs a value.`);
    options[name] = words[at + 1];
  }
  for (const name of Object.keys(options)) {
    if (options[name] === null) throw new Failure(`option '--${name}' is required.`);
  }
  return options;
}

function readJson(directory, name, remedy) {
  const file = path.join(directory, name);
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`'${name}' can not be read (${error.code}); ${remedy}`);
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new Failure(`'${name}' is no JSON (${error.message}); ${remedy}`);
  }
}

// npm as it came with this Node.js, else the one on PATH.
function findNpm() {
  const beside = path.dirname(process.execPath);
  const search = (process.env.PATH || '').split(':').filter((directory) => directory.startsWith('/'));
  const places = [
    path.join(beside, 'npm'),
    path.join(beside, '../lib/node_modules/npm/bin/npm-cli.js'),
    ...search.map((directory) => path.join(directory, 'npm')),
  ];
  const found = places.find((place) => fs.existsSync(place));
  if (!found) {
    throw new Failure(`there is no npm beside ${process.execPath} and none on PATH; install npm with this Node.js.`);
  }
  const real = fs.realpathSync(found);
  return real.endsWith('.js') ? [process.execPath, real] : [found];
}

// npm's own settings stay in force: registries, certificates, proxies. Nothing is kept between installations, so that none
// can leave something for the next.
function environment(temporary) {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^npm_(config_(cache|prefix|global|location|omit|include|ignore_scripts|production|only)$|package_|lifecycle_)/i.test(name)) {
      delete env[name];
    }
  }
  const headers = path.resolve(path.dirname(process.execPath), '..');
  return {
    ...env,
    PATH: `${path.dirname(process.execPath)}:${env.PATH || '/usr/local/bin:/usr/bin:/bin'}`,
    NODE_ENV: 'production',
    XDG_CACHE_HOME: path.join(temporary, 'tools'),
    npm_config_cache: path.join(temporary, 'cache'),
    // Native packages are built against this Node.js's own headers where it has them, else npm fetches them.
    ...(fs.existsSync(path.join(headers, 'include/node/node.h')) ? { npm_config_nodedir: headers } : {}),
  };
}

function install(options) {
  const manifest = readJson(options.source, 'package.json', 'publish it with the application.');
  readJson(options.source, 'package-lock.json', 'run `npm install` once and publish it with the application.');
  process.umask(0o022);
  fs.mkdirSync(options.env, { recursive: true });
  const reduced = {};
  for (const name of READ) if (name in manifest) reduced[name] = manifest[name];
  fs.writeFileSync(path.join(options.env, 'package.json'), `${JSON.stringify(reduced, null, 2)}\n`);
  fs.copyFileSync(path.join(options.source, 'package-lock.json'), path.join(options.env, 'package-lock.json'));
  const settings = path.join(options.env, '.npmrc');
  if (fs.existsSync(path.join(options.source, '.npmrc'))) fs.copyFileSync(path.join(options.source, '.npmrc'), settings);
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'npm-'));
  const command = [...findNpm(), 'ci', '--omit=dev', '--no-audit', '--no-fund', '--no-progress', '--no-update-notifier'];
  const done = spawnSync(command[0], command.slice(1), {
    cwd: options.env,
    env: environment(temporary),
    // Standard output belongs to nobody here, and packages' scripts write to it.
    stdio: ['ignore', 2, 2],
  });
  // It may hold a token, and the environment can be read by all content.
  if (fs.existsSync(settings)) fs.unlinkSync(settings);
  if (done.error) throw new Failure(`npm can not be started: ${done.error.message}`);
  if (done.status !== 0) {
    const how = done.signal ? `was ended by ${done.signal}` : `ended with code ${done.status}`;
    throw new Failure(`npm ${how}, so the packages of 'package-lock.json' are not installed; see the lines above.`, done.status || 1);
  }
  // A lock of packages for other systems alone leaves none.
  const modules = path.join(options.env, 'node_modules');
  fs.mkdirSync(modules, { recursive: true });
  say(`Installed ${count(modules)} packages with Node.js ${process.versions.node}`);
}

function count(modules) {
  let found = 0;
  for (const entry of fs.readdirSync(modules, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    if (entry.name.startsWith('@')) found += fs.readdirSync(path.join(modules, entry.name)).length;
    else found += 1;
  }
  return found;
}

try {
  install(readOptions(process.argv.slice(2)));
} catch (error) {
  say(`Error: ${error.message}`);
  process.exitCode = error instanceof Failure ? error.code : 1;
}
