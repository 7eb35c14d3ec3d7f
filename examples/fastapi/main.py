"""A pinboard: signed-in people publish photos and videos, which go from their browsers straight into S3."""

import json
import os
import secrets
import sqlite3
from typing import Annotated
from urllib.parse import urlencode

import httpx
from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI()
secret = os.environ.get("SESSION_SECRET") or secrets.token_hex()
app.add_middleware(SessionMiddleware, secret_key=secret, same_site="lax")  # and httpOnly, always
app.mount("/static", StaticFiles(directory="static"))
app.mount("/shared", StaticFiles(directory="../shared"))
templates = Jinja2Templates("templates")
loadlock = httpx.AsyncClient(
    base_url=os.environ["LOADLOCK_URL"],
    headers={"authorization": f"Bearer {os.environ['LOADLOCK_API_KEY']}"},
    timeout=60,
)
database = sqlite3.connect(os.environ.get("DATABASE", "pinboard.db"), isolation_level=None, check_same_thread=False)
database.row_factory = sqlite3.Row
database.execute("CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, owner TEXT, title TEXT, files TEXT)")


async def ask(path: str, body: dict) -> dict:
    """Asks Loadlock as this application's server, which may act for any of its users."""
    response = await loadlock.post(path, json=body)
    answer = response.json()
    if response.is_error:
        raise HTTPException(response.status_code, answer["error"]["message"])
    return answer


def signed_in(request: Request) -> str:
    if "user" not in request.session:
        raise HTTPException(401, "sign in first")
    return request.session["user"]


User = Annotated[str, Depends(signed_in)]
Uploads = Annotated[list[str], Form()]


def board(request: Request, status=200, *, title="", uploads=(), problem=""):
    rows = database.execute("SELECT * FROM entries ORDER BY id DESC").fetchall()
    entries = [{**row, "files": json.loads(row["files"])} for row in rows]
    shown = {"user": request.session.get("user"), "entries": entries, "title": title, "uploads": uploads}
    return templates.TemplateResponse(request, "board.html", {**shown, "problem": problem}, status_code=status)


@app.get("/")
def home(request: Request, title: str = "", state: str = "ready", reason: str = ""):
    # Whoever sent a file without JavaScript is back: `upload` is there once more, `state` says how it went.
    uploads = request.query_params.getlist("upload")
    if state in ("ready", "received"):
        return board(request, title=title, uploads=uploads)
    return board(request, title=title, uploads=uploads[:-1], problem=f"The last file was not taken ({reason or state}).")


@app.post("/sign-in")
def sign_in(request: Request, name: Annotated[str, Form(min_length=1, max_length=60)]):
    request.session["user"] = name  # your application asks for more than a name
    return RedirectResponse("/", 303)


@app.post("/sign-out")
def sign_out(request: Request):
    request.session.clear()
    return RedirectResponse("/", 303)


class Wish(BaseModel):
    filename: str
    content_type: str
    size: int


@app.post("/uploads")
async def begin(user: User, wish: Wish):
    """The browser is about to send a file: Loadlock begins, for this user."""
    return await ask("/v1/uploads", {"profile": "post", "owner": user, "method": "put", **wish.model_dump()})


@app.post("/file")
async def file(request: Request, user: User, title: Annotated[str, Form()] = "", upload: Uploads = []):
    """The same without JavaScript: a plain form, rendered before a file is chosen, that sends to the store."""
    kept = urlencode({"title": title, "upload": upload}, doseq=True)
    body = {"profile": "post", "owner": user, "method": "post", "return_to": f"{request.base_url}?{kept}"}
    begun = await ask("/v1/uploads", body)
    return templates.TemplateResponse(request, "file.html", {"grant": begun["grant"]})


@app.post("/entries")
async def publish(request: Request, user: User, title: Annotated[str, Form()], upload: Uploads = []):
    """The form is submitted: the files are claimed with it, if they are this user's, and are kept."""
    try:
        claimed = await ask("/v1/uploads/claim", {"ids": upload, "owner": user, "metadata": {"title": title}})
    except HTTPException as error:
        return board(request, error.status_code, title=title, uploads=upload, problem=error.detail)
    row = (upload[0], user, title, json.dumps(claimed["files"]))
    database.execute("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)", row)
    return RedirectResponse("/", 303)


@app.exception_handler(HTTPException)
def refuse(request: Request, error: HTTPException):
    if request.headers.get("content-type") == "application/json":
        return JSONResponse({"error": error.detail}, error.status_code)
    return board(request, error.status_code, problem=error.detail)
