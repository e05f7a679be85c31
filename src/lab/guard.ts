/** Who may talk to the server: whoever has the token, from a page of its own. Everybody else is told what to do. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';

/** Nothing from elsewhere is loaded, nobody frames the page, no address with a token is passed on. */
const headers: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
};

export const secured: MiddlewareHandler = async (context, next) => {
  await next();
  for (const [name, value] of Object.entries(headers)) if (!context.res.headers.has(name)) context.res.headers.set(name, value);
};

/** Without a port; an IPv6 address without its brackets. */
const nameOf = (host: string): string => host.toLowerCase().replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');

/**
 * A page of another site whose name has been pointed at this machine (DNS rebinding) gives itself away by that name. Addresses
 * can't be rebound, and of the port nothing is asked: it may be forwarded.
 */
export const ownHost = (host: string): MiddlewareHandler => {
  const names = new Set(['localhost', hostname().toLowerCase(), host.toLowerCase()]);
  return async (context, next) => {
    const asked = context.req.header('host') ?? '';
    const name = nameOf(asked);
    if (!names.has(name) && isIP(name) === 0) return context.text(`Expected the host localhost or an address, got another; start whet lab with --host to name it.\n`, 403);
    const origin = context.req.header('origin');
    if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== asked.toLowerCase())) return context.text('Expected a request from the page itself, got one from another site.\n', 403);
    return next();
  };
};

/** As long to compare whatever they have in common. */
function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

const page = (problem: string): string => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Whetstone lab</title>
<h1>Whetstone lab</h1>
<p>${problem}</p>
<p>Open the link that <code>whet lab</code> printed where it was started; it ends in <code>?token=...</code>. Or give the token here:</p>
<form action="/" method="get"><label>Token <input name="token" type="password" autocomplete="off" required autofocus></label> <button>Open</button></form>
</html>
`;

/** By link, which leaves a cookie for what the page asks then; or as a bearer, for programs. The cookie is not the token: it opens nothing elsewhere. */
export const withToken = (token: string): MiddlewareHandler => {
  const derive = (use: string): string => createHmac('sha256', token).update(use).digest('base64url');
  const session = derive('whet lab session');
  // Browsers send cookies to all ports of a machine: several labs there have each their own.
  const cookieName = `whet-lab-${derive('whet lab cookie').slice(0, 8)}`;
  const refuse = (context: Context, problem: string): Response => {
    if (!context.req.header('accept')?.includes('text/html')) return context.json({ error: `${problem} The link that whet lab printed has the token.` }, 401);
    return context.html(page(problem), 401);
  };
  return async (context, next) => {
    const query = context.req.query('token');
    const bearer = /^Bearer (.+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    const given = query ?? bearer;
    if (given !== undefined) {
      if (!same(given, token)) return refuse(context, 'The token is not the one this server has.');
      if (query !== undefined) setCookie(context, cookieName, session, { httpOnly: true, sameSite: 'Strict', path: '/' });
      return next();
    }
    const cookie = getCookie(context, cookieName);
    if (cookie === undefined || !same(cookie, session)) return refuse(context, 'This page is for whoever has its token.');
    return next();
  };
};
