//! Presets: settings to begin a conversation with. A conversation copies them, and keeps no reference.

use crate::{Chats, Error, NewPreset, Preset, PresetPatch, folders::name_of, types::changed};

/// The most presets: more fit no list.
const MAX_PRESETS: i64 = 200;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    system_prompt: Option<String>,
    model: Option<String>,
    params: Option<String>,
}

impl From<Row> for Preset {
    fn from(row: Row) -> Preset {
        Preset {
            id: row.id,
            name: row.name,
            system_prompt: row.system_prompt,
            model: row.model,
            params: row.params,
        }
    }
}

impl Chats {
    /// All presets, by name.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn presets(&self) -> Result<Vec<Preset>, Error> {
        let sql = "SELECT id, name, system_prompt, model, params FROM preset ORDER BY lower(name), id";
        let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(Preset::from).collect())
    }

    /// Makes a preset.
    ///
    /// # Errors
    /// A name that none can have, or too many presets.
    pub async fn add_preset(&self, new: NewPreset) -> Result<Preset, Error> {
        let preset = Preset {
            id: uuid::Uuid::now_v7().to_string(),
            name: name_of("a preset", &new.name)?,
            system_prompt: changed(new.system_prompt, None),
            model: changed(new.model, None),
            params: changed(new.params, None),
        };
        let made = sqlx::query(
            "INSERT INTO preset (id, name, system_prompt, model, params, created_ms) \
             SELECT ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM preset) < ?",
        )
        .bind(&preset.id)
        .bind(&preset.name)
        .bind(&preset.system_prompt)
        .bind(&preset.model)
        .bind(&preset.params)
        .bind(self.clock.now_ms())
        .bind(MAX_PRESETS)
        .execute(&self.pool)
        .await?;
        if made.rows_affected() == 0 {
            return Err(Error::refused(format!(
                "there are {MAX_PRESETS} presets, and no more can be made: delete one first"
            )));
        }
        Ok(preset)
    }

    /// Changes a preset.
    ///
    /// # Errors
    /// No such preset, or a name that none can have.
    pub async fn change_preset(&self, id: &str, patch: PresetPatch) -> Result<Preset, Error> {
        let row: Option<Row> =
            sqlx::query_as("SELECT id, name, system_prompt, model, params FROM preset WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.pool)
                .await?;
        let old = row.ok_or(Error::NotFound("preset"))?;
        let preset = Preset {
            id: old.id,
            name: match patch.name {
                Some(name) => name_of("a preset", &name)?,
                None => old.name,
            },
            system_prompt: changed(patch.system_prompt, old.system_prompt),
            model: changed(patch.model, old.model),
            params: changed(patch.params, old.params),
        };
        sqlx::query("UPDATE preset SET name = ?, system_prompt = ?, model = ?, params = ? WHERE id = ?")
            .bind(&preset.name)
            .bind(&preset.system_prompt)
            .bind(&preset.model)
            .bind(&preset.params)
            .bind(&preset.id)
            .execute(&self.pool)
            .await?;
        Ok(preset)
    }

    /// Deletes a preset.
    ///
    /// # Errors
    /// No such preset.
    pub async fn delete_preset(&self, id: &str) -> Result<(), Error> {
        let gone = sqlx::query("DELETE FROM preset WHERE id = ?")
            .bind(id)
            .execute(&self.pool)
            .await?;
        match gone.rows_affected() {
            0 => Err(Error::NotFound("preset")),
            _ => Ok(()),
        }
    }
}
