"""Sentences of the guard (``ui.guard``) -> Chinese, with the same placeholders."""

from __future__ import annotations

GUARD = {
    "Anyone who can reach this address can use this page: no password is asked for. What you ask is sent unencrypted.": (
        "任何能访问此地址的人都可以使用本页面：没有设置密码。您的提问以未加密的方式传输。"
    ),
    # door
    "A password is given, and --insecure-no-auth says that none is asked for": (
        "已给出密码，但 --insecure-no-auth 表示不要求密码"
    ),
    "Leave one of them out: --insecure-no-auth, or {given}.": "请去掉其中之一：--insecure-no-auth 或 {given}。",
    "{name} is not a host's name": "{name} 不是主机名",
    "Type it without a port and without http://, as in: {command}": "请不带端口和 http://，例如：{command}",
    "On {host} other machines can reach the page, and nothing is asked of those who come": (
        "在 {host} 上，其他机器可以访问本页面，而且不需要密码"
    ),
    "Put a password into a file and type: {safe}\nOr leave --host out, and let others in by ssh. To let anyone in all the same, type: {open}": (
        "请把密码写入文件后运行：{safe}\n或去掉 --host，让他人通过 ssh 访问。如仍要对所有人开放，请运行：{open}"
    ),
    "--auth is USER:FILE, and {value} is not": "--auth 的形式是 USER:FILE，而 {value} 不是",
    "FILE holds the password. Type: {command}": "FILE 是存放密码的文件。请运行：{command}",
    "Write it into that file, as its only line.": "请把密码写入该文件，只写一行。",
    "{variable} is USER:PASSWORD, and has no user": "{variable} 的形式是 USER:PASSWORD，但缺少用户名",
    "Type: export {variable}=me:…": "请运行：export {variable}=me:…",
    "Write one line of at least one character.": "请写一行，至少一个字符。",
    # hosts, origins, login, routes
    "{host} is not a name of this page": "{host} 不是本页面的主机名",
    "Open it under the address that its start prints. If the name is right, type: {command}": (
        "请用启动时打印的地址打开。如果这个名称是对的，请运行：{command}"
    ),
    "Another page asks for this: {origin}": "请求来自另一个网页：{origin}",
    "Open the launcher's own page and ask there. Behind a proxy that hides the page's address, start it with that: {command}": (
        "请打开本程序自己的页面，在那里提问。如果代理隐藏了页面地址，请在启动时给出：{command}"
    ),
    "This page asks for a name and a password": "本页面需要用户名和密码",
    "They are what the launcher was started with: --auth USER:FILE.": (
        "即启动时设置的用户名和密码：--auth USER:FILE。"
    ),
    "Too many wrong passwords came from this address": "来自此地址的错误密码过多",
    "Try again in {seconds} s.": "请在 {seconds} 秒后重试。",
    "There is nothing here under {path}": "这里没有 {path}",
    "The page is at the address that its start prints; {address} lists what programs may call.": (
        "页面在启动时打印的地址；{address} 列出程序可以调用的接口。"
    ),
    "{path} does not answer to {method}": "{path} 不接受 {method}",
    "It takes {allowed}.": "它接受 {allowed}。",
    # bodies, files
    "The request came too slowly, and was not read to its end": "请求传输过慢，没有读完",
    "Send it again over a better connection.": "请在更好的网络下重新发送。",
    "The request has more than {limit_mb:g} MB": "请求超过 {limit_mb:g} MB",
    "Shorten the question, or send fewer pictures at once.": "请缩短问题，或一次少发几张图片。",
    "The request cannot be read: it is not JSON, or nested too deeply": (
        "请求无法读取：不是 JSON，或嵌套过深"
    ),
    "{address} lists what the endpoint takes, in order.": "{address} 按顺序列出该接口的参数。",
    "{name} is not a picture that was uploaded here": "{name} 不是在这里上传的图片",
    "Upload it first, and name it as the upload's answer does.": "请先上传，并使用上传返回的名称。",
    "The upload cannot be read": "上传的内容无法读取",
    "Send at most {most} pictures, as files of a form, each in a part named {field}.": (
        "请用表单一次最多发送 {most} 个图片文件，每个部分的名称为 {field}。"
    ),
    # how many, how often
    "The page is open in too many places: {most} requests are being answered": (
        "打开本页面的地方过多：正在处理 {most} 个请求"
    ),
    "Try again in a moment, or close pages that are not needed.": "请稍后再试，或关闭不需要的页面。",
    "Too many requests are open from this address: {most}": "来自此地址的请求过多：{most} 个",
    "Close pages that are not needed, and try again.": "请关闭不需要的页面后重试。",
    "Too many pictures were uploaded from this address in the last minute": (
        "此地址在一分钟内上传的图片过多"
    ),
    "Too many questions of yours are being answered: {count}": "您有 {count} 个问题正在回答，数量过多",
    "Wait until one of them is done.": "请等其中一个回答完。",
    "Too many questions are being answered: {count}": "正在回答的问题过多：{count} 个",
    "Try again in a moment.": "请稍后再试。",
}
