import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import express from 'express';
import { WebSocketServer } from 'ws';

const [, ...lines] = readFileSync(new URL('sales.csv', import.meta.url), 'utf8').trim().split('\n');
const sales = lines.map((line) => {
  const [year, region, month, amount] = line.split(',');
  return { year: Number(year), region, month: Number(month), sales: Number(amount) };
});

const app = express();
app.set('trust proxy', true);
app.use(express.static('public'));

app.get('/sales', (request, response) => {
  const { region, year } = request.query;
  const found = sales.filter((row) => (!region || row.region === region) && (!year || row.year === Number(year)));
  if (found.length === 0) return response.status(404).json({ error: 'there are no such sales' });
  return response.json(found);
});

app.post('/total', express.json(), (request, response) => {
  if (!Array.isArray(request.body)) return response.status(400).json({ error: 'send a JSON array of numbers' });
  return response.json({ total: request.body.reduce((sum, number) => sum + Number(number), 0) });
});

app.get('/me', (request, response) => {
  const told = request.get('RStudio-Connect-Credentials');
  response.json(told ? JSON.parse(told) : { user: null });
});

const server = createServer(app);

// Each region's name is answered with its total.
new WebSocketServer({ server, path: '/live' }).on('connection', (peer) => {
  peer.on('message', (data) => {
    const region = data.toString();
    const total = sales.filter((row) => row.region === region).reduce((sum, row) => sum + row.sales, 0);
    peer.send(JSON.stringify({ region, total }));
  });
});

server.listen(process.env.PORT || 3000, () => console.log(`serving ${sales.length} rows`));
