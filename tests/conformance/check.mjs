// Plays the scenarios of the conformance suite that expected.tsv lists, one after the other, and then
// all that a revision requires at once. A scenario has passed if the suite says so and has made as many
// checks as the list says: of a client that does nothing the suite says that it passes "0/0".
//
//     node check.mjs CLIENT RESULTS
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const suite = join(here, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const [client, results] = process.argv.slice(2);
const caseLog = process.env.MCP_POOL_CASE_LOG;

// As tests/support/case_log.cpp does it, for scripts/count_cases.
function log(outcome, name) {
    if (caseLog)
        appendFileSync(join(caseLog, 'conformance_client.tsv'), `${outcome}\t${name}\t\n`);
}

function suiteRun(args, directory) {
    const done = spawnSync(
        process.execPath,
        [suite, 'client', '--command', client, '-o', directory, ...args],
        { encoding: 'utf8', timeout: 120_000, maxBuffer: 64 << 20 }
    );
    // The summary is at its end.
    return { good: done.status === 0, text: `${done.stderr}${done.stdout}`.slice(-4000) };
}

// How many checks came out how; the suite names the directory of a scenario after it and the time.
function checksIn(directory, scenario) {
    const own = readdirSync(directory).find((name) => name.startsWith(`${scenario}-`));
    const counts = {};
    for (const check of JSON.parse(readFileSync(join(directory, own, 'checks.json'), 'utf8')))
        counts[check.status] = (counts[check.status] ?? 0) + 1;
    return counts;
}

// Why it is not as expected; empty if it is.
function scenarioFault(revision, scenario, expected) {
    const directory = join(results, revision, scenario);
    const run = suiteRun(['--scenario', scenario, '--spec-version', revision], directory);
    if (!run.good)
        return `the suite says that it fails\n${run.text}`;
    const counts = checksIn(directory, scenario);
    const bad = (counts.FAILURE ?? 0) + (counts.WARNING ?? 0);
    if (bad !== 0 || counts.SUCCESS !== expected)
        return `${expected} successful checks were expected, not ${JSON.stringify(counts)}`;
    return '';
}

function requirementsFault(revision) {
    const failures = join(here, `expected-failures-${revision}.yml`);
    const run = suiteRun(
        ['--requirements', revision, '--expected-failures', failures],
        join(results, revision, 'requirements')
    );
    return run.good ? '' : `the suite says that something is not as expected\n${run.text}`;
}

let failed = 0;
let cases = 0;

function play(name, fault) {
    log('start', name);
    const why = fault();
    log(why ? 'failed' : 'passed', name);
    console.log(`${why ? 'FAILED' : 'passed'}  ${name}${why ? `: ${why}` : ''}`);
    failed += why ? 1 : 0;
    cases += 1;
}

const expected = readFileSync(join(here, 'expected.tsv'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split('\t'));
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
for (const [revision, scenario, checks] of expected)
    play(`${revision}/${scenario}`, () => scenarioFault(revision, scenario, Number(checks)));
for (const revision of new Set(expected.map(([revision]) => revision)))
    play(`${revision}/everything_required`, () => requirementsFault(revision));
console.log(`${cases - failed} passed, ${failed} failed`);
process.exit(failed === 0 && cases > 0 ? 0 : 1);
