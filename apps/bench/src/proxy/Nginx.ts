/** nginx as a plain reverse proxy, where this machine has one: what a proxy costs that is written in C. */
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Work from "../Work.js"

/** Where it is; `null` where it is not installed. */
export const binary = (): string | null => {
  for (const folder of [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"]) {
    const file = join(folder, "nginx")
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      continue
    }
  }
  return null
}

/** Writes the configuration of one worker, and returns the arguments that run it in the foreground. */
export const prepare = (folder: string, port: number, upstream: string): ReadonlyArray<string> => {
  const file = join(folder, "nginx.conf")
  mkdirSync(join(folder, "tmp"), { recursive: true })
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/tmp/${kind};`)
  writeFileSync(file, `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.join("\n  ")}
  upstream till { server ${new URL(upstream).host}; keepalive ${Work.inFlight}; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 100000000;
    location / {
      proxy_pass http://till;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "${Work.headers.Authorization}";
    }
  }
}
`)
  return ["-c", file, "-e", join(folder, "error.log"), "-p", folder]
}
