// Why a file is refused, in the person's language. The node says it in sentences of its own under one code.
import { m } from '$lib/paraglide/messages';

export const MOST_FILE_MIB = 20;
export const TOO_LARGE = `the file is larger than ${MOST_FILE_MIB} MiB: take the part that matters`;

export const refusals: Record<string, () => string> = {
  'the file is empty': m.refused_empty,
  'there is no text in this file': m.refused_no_text,
  [TOO_LARGE]: () => m.refused_too_large({ most: MOST_FILE_MIB }),
  'the file is not text in UTF-8: save it as text (UTF-8) or as PDF, and add it again': m.refused_not_text,
  'the file is a picture: only text is read, so copy what stands in it, or send a PDF with text': m.refused_picture,
  'the file is a ZIP archive or an Office document: unpack it, or save the document as PDF or as text': m.refused_office,
  'the file is an old Office document: save it as PDF or as text': m.refused_office,
  'this PDF takes too much time or memory to read: save it anew, or as text': m.refused_pdf_too_much,
  'this PDF is locked by a password: save it without one, and add it again': m.refused_pdf_locked,
  'there is no text in this PDF, as in a scan: have its text recognised (OCR) first': m.refused_pdf_scan,
  'this PDF is damaged, or written in a way that is not read: save it anew, or as text': m.refused_pdf_damaged,
  'a file of this question is not kept any more: add it again': m.refused_not_kept,
  'this is a ZIP archive: unpack it, and choose the file conversations.json in it': m.refused_import_zip,
  'this file is no JSON with conversations: choose an export of Hearth or Open WebUI, or the conversations.json of ChatGPT': m.refused_import_other,
};
