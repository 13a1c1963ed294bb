// Sequential tool calls through the official TypeScript client, as its documentation shows them:
// what the figure for a call through this library is quoted beside.
//
// Usage: node node_client.mjs --count N --message-bytes N -- SERVER [ARGUMENT]...
// A third as many calls come before, unmeasured: by then the code is compiled. Prints a
// line of JSON; every answer is checked.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

// The packages are those that tests/fixtures/node/install has put there.
const installed = createRequire(new URL('../../tests/fixtures/node/', import.meta.url));
const { Client } = installed('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = installed('@modelcontextprotocol/sdk/client/stdio.js');

const { values, positionals } = parseArgs({
    options: {
        count: { type: 'string', default: '6000' },
        'message-bytes': { type: 'string', default: '24' }
    },
    allowPositionals: true
});
const count = Number(values.count);
const message = 'x'.repeat(Number(values['message-bytes']));
const [command, ...args] = positionals;

async function call(client) {
    const result = await client.callTool({ name: 'null', arguments: { message } });
    if (result.isError || result.content[0].text !== 'ok') {
        throw new Error(`a wrong answer: ${JSON.stringify(result)}`);
    }
}

const client = new Client({ name: 'node-client', version: '1.0.0' });
await client.connect(new StdioClientTransport({ command, args }));
for (let i = 0; i < count / 3; i++) {
    await call(client);
}
const times = new Float64Array(count);
const cpuBegin = process.cpuUsage();
const begin = performance.now();
for (let i = 0; i < count; i++) {
    const sent = performance.now();
    await call(client);
    times[i] = performance.now() - sent;
}
const elapsed = performance.now() - begin;
const cpu = process.cpuUsage(cpuBegin);
await client.close();

times.sort();
console.log(
    JSON.stringify({
        calls_per_second: (count / elapsed) * 1e3,
        cpu_us_per_call: (cpu.user + cpu.system) / count,
        p50_us: times[Math.floor(count / 2)] * 1e3
    })
);
