"""The Chinese of what is said about four bits: of `launcher quantize`, and of reading what it makes."""

from __future__ import annotations

QUANTIZING = {
    "To make it of the model in 16 bits, type: {command}": "要从 16 位的模型制作它，请运行：{command}",
    "{folder}: the four-bit tensors of {name} do not fit together: {shapes}": (
        "{folder}：{name} 的 4 位张量互不匹配：{shapes}"
    ),
    "The file is damaged; make the checkpoint again, or download it again.": (
        "文件已损坏；请重新制作这个模型，或重新下载。"
    ),
    "{folder}: config.json says that the weights have four bits ({method}), and none has": (
        "{folder}：config.json 说权重是 4 位（{method}），但没有一个权重是 4 位"
    ),
    "{folder}: tensor {name} holds numbers that float16 cannot hold, or none at all": (
        "{folder}：张量 {name} 中有 float16 放不下的数，或者不是数"
    ),
    "This model cannot be quantised; download it again if it does not run as it is either.": (
        "这个模型不能量化；如果原模型也不能运行，请重新下载。"
    ),
    "In four bits the model is not what it was: perplexity {growth:.2f} times its own, {same} of {total} first tokens the same": (
        "4 位的模型与原模型相差太远：困惑度是原来的 {growth:.2f} 倍，{total} 个首 token 中有 {same} 个相同"
    ),
    "Give it more to read (--samples), or pictures and texts such as it is used for (--images, --texts). Nothing was written.": (
        "请让它多读一些（--samples），或给它与实际用途相近的图片和文本（--images、--texts）。没有写入任何内容。"
    ),
    "{folder} holds {count} pictures; at least {least} are needed": "{folder} 中有 {count} 张图片，至少需要 {least} 张",
    "Name a folder of some dozen pictures such as the model will be shown.": (
        "请指定一个文件夹，其中有几十张与实际用途相近的图片。"
    ),
    "{file} is no text in UTF-8: {reason}": "{file} 不是 UTF-8 文本：{reason}",
    "Save it as UTF-8, with an empty line between one text and the next.": (
        "请保存为 UTF-8，各段文本之间空一行。"
    ),
    "{file} holds {count} texts; at least {least} are needed, with empty lines between them": (
        "{file} 中有 {count} 段文本，至少需要 {least} 段，各段之间空一行"
    ),
    "Name a file of some dozen texts such as the model will read.": (
        "请指定一个文件，其中有几十段与实际用途相近的文本。"
    ),
    "Another process makes {target} now": "另一个进程正在制作 {target}",
    "Wait for it, or name another folder with --to.": "请等它完成，或用 --to 指定另一个文件夹。",
    "{name} runs on the server at {url}, and its weights stay there": (
        "{name} 在服务器 {url} 上运行，它的权重留在那里"
    ),
    "Take a preset whose model runs on this machine: {command}": "请选用模型在本机运行的预设：{command}",
    "{name} is quantised already ({method}, {bits} bits)": "{name} 已经是量化的（{method}，{bits} 位）",
    "Take the preset of the model in 16 bits.": "请选用 16 位模型的预设。",
    "{name} is a model of {family}, which `launcher quantize` cannot take": (
        "{name} 是 {family} 系列的模型，`launcher quantize` 不能处理"
    ),
    "It takes {known}. Many others are published in four bits: look for AWQ on the hub.": (
        "它能处理 {known}。许多其他模型有发布的 4 位版本：请在模型库中查找 AWQ。"
    ),
    "{name} has linear layers of {width} numbers, which groups of {group} do not divide": (
        "{name} 的线性层宽 {width}，不能按 {group} 个一组分开"
    ),
    "LMDeploy's kernels know no other groups: take another model.": (
        "LMDeploy 的内核只支持这种分组：请换用其他模型。"
    ),
    "{folder} is there already": "{folder} 已经存在",
    "{name} reads no pictures: --images {folder} is of no use to it": "{name} 不读图片：--images {folder} 对它没有用",
    "Leave --images out; --texts names a file of texts.": "请去掉 --images；用 --texts 指定文本文件。",
    "Nothing can be written in {place}, where {folder} is to be": "{place} 中不能写入，而 {folder} 要放在那里",
    "Name another folder with --to.": "请用 --to 指定另一个文件夹。",
    "Name another folder with --to, or delete that one.": "请用 --to 指定另一个文件夹，或删除该文件夹。",
    "Quantising {name} takes {needed:.1f} GiB of memory on the CPU, and {free:.1f} of {total:.1f} GiB are free; on a GPU {gpu_needed:.1f} GiB of its memory, and {gpu_free} GiB are free": (
        "量化 {name} 在 CPU 上需要 {needed:.1f} GiB 内存，而 {total:.1f} GiB 中空闲 {free:.1f} GiB；"
        "在 GPU 上需要 {gpu_needed:.1f} GiB 显存，而空闲 {gpu_free} GiB"
    ),
    "Close other programs, or take fewer --samples.": "请关闭其他程序，或减少 --samples。",
    "{name} is in none of the usual folders": "{name} 不在常用的预设文件夹中",
}
